"""The page in a real browser: it works offline, filters, sorts, and shows text of a CSV as text."""

import base64
import json
import re
from dataclasses import replace
from urllib.parse import unquote

import pytest

from bench import records
from bench.__main__ import main
from bench.plot.palette import PART_COLOURS, colour
from tests.bench.report.browsing import choose, column, drawn, find, until
from tests.bench.report.examples import GRID, HOSTILE, NAMED
from tests.support.pages import part
from tests.support.rows import rows


@pytest.fixture(scope="module")
def browser(page, chromium):
    """Chromium with the page open."""
    chromium.get_log("performance")
    chromium.get(page.as_uri())
    drawn(chromium)
    return chromium


def test_it_opens_without_errors_and_without_the_network(browser, page):
    messages = [(entry["level"], entry["message"]) for entry in browser.get_log("browser")]
    assert messages == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert {unquote(url) for url in asked if not url.startswith(("data:", "blob:"))} <= {unquote(page.as_uri())}
    assert all(find(browser, f"#{element} svg") for element in ("ladder", "roofline", "maps", "learning"))


def test_a_hostile_name_is_shown_as_text(browser):
    assert HOSTILE in column(browser, "machine")
    assert find(browser, "img") == []
    assert browser.execute_script("return document.querySelectorAll('#ladder svg text').length") > 0
    assert HOSTILE[:9] in browser.execute_script("return document.querySelector('#ladder svg').textContent")


def test_a_trainer_has_the_same_colour_as_in_the_charts(browser):
    marks = find(browser, "#roofline svg .mark-symbol.role-mark path")
    assert {mark.get_attribute("fill") for mark in marks} == {colour(name) for _, name in [*NAMED, *GRID] if name != "gpu"}


def test_bars_show_the_parts_of_each_epoch_in_seconds_and_in_percent(browser):
    for figure in (1, 2):
        marks = find(browser, f"#anatomy figure:nth-child({figure}) svg .mark-rect.role-mark path")
        assert sorted(PART_COLOURS.index(mark.get_attribute("fill").upper()) for mark in marks) == sorted(4 * list(range(4)))
    shares = ["30.0 ms, 3.0 %", "30.0 ms, 30.0 %", "30.0 ms, 6.0 %", "30.0 ms, 60.0 %"]
    assert sorted(column(browser, "calls", "anatomy-table")) == sorted(shares)
    assert column(browser, "memory") == ["200 MB"] * 4


def test_a_legend_lists_only_what_is_drawn(browser):
    assert [item.text for item in find(browser, "#ladder .legend li")] == ["loop", "matrix"]
    assert [item.text for item in find(browser, "#learning .legend li")] == ["matrix"]


def test_a_section_without_data_is_hidden(browser):
    shown = {heading.text for heading in find(browser, "main section h2") if heading.is_displayed()}
    assert {"Speedup over loop", "Learning curves"} <= shown
    assert not {"Scaling over ranks", "History over commits"} & shown


def test_workloads_are_grouped(browser):
    groups = {group.get_attribute("label"): len(group.find_elements("css selector", "option")) for group in find(browser, "#job optgroup")}
    assert groups == {"Named workloads": 2, "Grid, 30 hidden units": 3, "Grid, 100 hidden units": 3}


def test_a_term_is_explained_by_keyboard(browser):
    from selenium.webdriver.common.keys import Keys

    (meaning,), terms = find(browser, "#meaning"), find(browser, "dfn")
    assert not meaning.is_displayed()
    browser.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    find(browser, "body")[0].send_keys(Keys.TAB)
    until(browser, meaning.is_displayed)
    assert browser.switch_to.active_element == terms[0]
    assert meaning.text == find(browser, "#terms dd")[0].text
    terms[0].send_keys(Keys.ESCAPE)
    assert not meaning.is_displayed()


def test_a_column_is_explained_by_touch(browser):
    (button,) = [button for button in find(browser, "#roofline-table th button") if button.text.startswith("of peak")]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    box, scrolled = button.rect, browser.execute_script("return scrollY")
    place = {"x": int(box["x"]) + 5, "y": int(box["y"] - scrolled) + 5}
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [place]})
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    until(browser, find(browser, "#meaning")[0].is_displayed)
    assert "peak" in find(browser, "#meaning")[0].text
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def test_every_marked_term_has_an_explanation(browser):
    assert [term.text for term in find(browser, "dfn") if not term.get_attribute("aria-description")] == []


def test_the_selectors_filter_the_page(browser):
    assert column(browser, "epoch") == ["1.00 s", "500 ms", "100 ms", "50.0 ms"]
    choose(browser, "machine", "fine")
    drawn(browser, "0/0")
    assert column(browser, "epoch") == ["1.00 s", "100 ms"]
    answer = find(browser, "#answer")[0].text
    assert re.search(r"\bnielsen\b.*\bmatrix\b.*\b10\.0 \(", answer), answer
    choose(browser, "job", "wide: 784-100-10, batch 100, learning rate 1, 50,000 examples, float32")
    drawn(browser, "1/0")
    assert column(browser, "epoch") == ["2.00 s", "100 ms"]
    choose(browser, "machine", "all machines")
    choose(browser, "job", "nielsen: 784-30-10, batch 10, learning rate 3, 50,000 examples, float32")
    drawn(browser)


def test_every_table_sorts_by_keyboard(browser):
    from selenium.webdriver.common.keys import Keys

    def press(heading):
        (button,) = [button for button in find(browser, "#ladder-table th button") if button.text.split()[0] == heading]
        button.send_keys(Keys.ENTER)

    press("epoch")
    assert column(browser, "epoch") == ["50.0 ms", "100 ms", "500 ms", "1.00 s"], "by value, not by text"
    assert find(browser, "#ladder-table th[aria-sort=ascending]")[0].text.startswith("epoch")
    press("epoch")
    assert column(browser, "epoch") == ["1.00 s", "500 ms", "100 ms", "50.0 ms"]
    assert browser.switch_to.active_element.text.startswith("epoch"), "the focus stays where it was"
    press("95")
    assert column(browser, "epoch") == ["50.0 ms", "100 ms", "500 ms", "1.00 s"], "an interval by its centre"
    press("trainer")
    assert column(browser, "trainer") == ["loop", "loop", "matrix", "matrix"]


def test_a_point_shows_its_values_on_hover(browser):
    from selenium.webdriver.common.action_chains import ActionChains

    mark = find(browser, "#ladder svg .mark-symbol.role-mark path")[0]
    ActionChains(browser).move_to_element(mark).perform()
    until(browser, lambda: find(browser, "#vg-tooltip-element.visible"))
    tooltip = find(browser, "#vg-tooltip-element")[0].text
    assert "95 %" in tooltip
    assert "over loop" in tooltip


def test_the_rows_can_be_downloaded(browser, page):
    browser.execute_script("arguments[0].scrollIntoView()", find(browser, "#save")[0])
    find(browser, "#save")[0].click()
    file = browser.downloads / "epochbench.csv"
    until(browser, file.exists)
    assert len(records.read([file])) == len(records.read(records.files([page.parent.parent])))


def test_a_phone_scrolls_only_vertically_and_dark_mode_is_dark(browser):
    phone = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    shades = []
    for scheme in ("light", "dark"):
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        shades.append(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert shades == ["rgb(255, 255, 255)", "rgb(22, 24, 28)"]
    assert b"%PDF" in base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])[:8]


def test_hostile_rows_open_without_errors(browser, tmp_path):
    for number, name in enumerate((HOSTILE, '"]; window.hit = 1; //', "__proto__", "</ScRiPt ><script>window.hit = 1</script>", "=1+1")):
        texts = dict.fromkeys(("machine", "cpu", "gpu", "library", "blas", "os", "dataset", "run_id"), name)
        made = rows(NAMED | GRID, **texts)
        ends = {"peak_flops": 1e30, "peak_bytes": 1e-30, "accuracy": 1e30, "flops": 2**62}
        extreme = [replace(row, trainer=name, seconds=1e-30 if row.round == 1 else 1e30, **ends) for row in made]
        training = rows({("nielsen", "matrix"): [0.1] * 3}, kind="training", **{**texts, "trainer": name, "workload": name})
        writer = records.Writer(tmp_path / f"{number}.csv")
        writer.add([*made, *extreme, *training])
        writer.close()
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "report.html")]) == 0
    raw = part(tmp_path / "report.html", "raw").decode()
    assert ",'=1+1," in raw
    assert ",=1+1," not in raw
    browser.get_log("browser")
    browser.get((tmp_path / "report.html").as_uri())
    drawn(browser)
    choose(browser, "job", "all workloads")
    drawn(browser, "/")
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    assert browser.execute_script("return window.hit") is None
    assert browser.execute_script("return document.querySelectorAll('img, script').length") == 4
    assert {HOSTILE, "__proto__", "=1+1"} <= {text.removesuffix(" (disturbed)") for text in column(browser, "trainer")}
