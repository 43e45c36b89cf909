"""What a reader does with the page in the browser."""


def until(browser, condition):
    """Wait until the condition is true, and return its value."""
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(browser, 20, poll_frequency=0.05).until(lambda _: condition())


def drawn(browser, state="0/"):
    """Wait until the page has drawn its charts for a choice of workload and machine."""
    until(browser, lambda: browser.execute_script("return document.body.dataset.drawn") == state)


def find(browser, selector):
    """Return the elements of a CSS selector."""
    return browser.find_elements("css selector", selector)


def choose(browser, select, text):
    """Choose an option of a selector of the page."""
    from selenium.webdriver.support.select import Select

    Select(find(browser, f"#{select}")[0]).select_by_visible_text(text)


def column(browser, heading, element="ladder-table"):
    """Return the texts of a table's column."""
    headings = [cell.text.split(" \u2195")[0].strip() for cell in find(browser, f"#{element} th")]
    number = next(i for i, text in enumerate(headings, start=1) if text.startswith(heading))
    return [cell.text for cell in find(browser, f"#{element} td:nth-child({number})")]
