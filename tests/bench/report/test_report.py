"""`python -m bench report`: the page is complete, escapes its input, and works offline in a real browser."""

import base64
import gzip
import json
import re
import shutil
from dataclasses import replace
from urllib.parse import unquote

import pytest

from bench import records
from bench.__main__ import main
from bench.plot.palette import PART_COLOURS, colour
from bench.report.figures import figures
from tests.support.commands import ROOT
from tests.support.rows import rows, written

HOSTILE = "</script><img src=x onerror=alert(1)>'\"&{{7*7}}"
NAMED = {("nielsen", "loop"): 1.0, ("nielsen", "matrix"): 0.1, ("wide", "loop"): 2.0, ("wide", "matrix"): 0.1}
GRID = {(f"h{w}-b{b}", name): t for w in (30, 100) for b in (1, 10, 1000) for name, t in (("matrix", 0.01), ("gpu", 1 / b))}
TRAINING = {("nielsen", "matrix"): [0.1] * 5}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of two machines; one has a hostile name."""
    directory = tmp_path_factory.mktemp("report")
    written(directory / "1.csv", NAMED | GRID, machine="fine", run_id="r1")
    written(directory / "2.csv", {key: seconds / 2 for key, seconds in NAMED.items()}, machine=HOSTILE, run_id="r2", cpu=HOSTILE)
    written(directory / "3.csv", TRAINING, machine="fine", run_id="r3", kind="training")
    assert main(["report", str(directory), "-o", str(directory / "out" / "report.html")]) == 0
    return directory / "out" / "report.html"


def part(page, name):
    packed = re.search(rf'<script id="{name}"[^>]*>(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)[1]
    return gzip.decompress(base64.b64decode(packed))


def test_the_page_contains_every_figure_with_its_interval(page):
    data = json.loads(part(page, "figures"))
    assert [machine["label"] for machine in data["machines"]] == ["fine", HOSTILE]
    assert [job["title"].split(":")[0] for job in data["jobs"][:2]] == ["nielsen", "wide"]
    assert len(data["cells"]) == 2 * len(NAMED) + len(GRID)
    (cell,) = [c for c in data["cells"] if (c["job"], c["machine"], c["trainer"]) == (0, 0, "matrix")]
    value, low, high = cell["seconds"]
    assert value == pytest.approx(0.1)
    assert 0.09 < low < 0.099 < 0.101 < high < 0.11  # the rounds, their unknown correlation, and the spread of runs
    assert cell["speedup"][0] == pytest.approx(10)
    assert cell["speedup"][1] < 10 < cell["speedup"][2]
    assert cell["gflops"] == pytest.approx(47.94)
    assert cell["memory"] == 2e8
    assert cell["energy"] == [pytest.approx([1 / 12.5, 1 / 12.9, 1 / 12.1], rel=1e-4), 125, 20]
    (parts,) = [c for c in data["anatomy"] if (c["job"], c["name"], c["trainer"]) == (0, "fine", "matrix")]
    assert sum(parts["drawn"]) == pytest.approx(parts["epoch"], rel=1e-4)
    assert parts["calls"] == [0.03, 0.028, 0.033]
    assert data["curves"][0]["seconds"] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_the_page_contains_all_raw_rows(page, tmp_path):
    copy = tmp_path / "raw.csv"
    copy.write_bytes(part(page, "raw"))
    assert len(records.read([copy])) == len(records.read(records.files([page.parent.parent])))


def test_runs_that_disagree_show_their_own_facts(tmp_path):
    for run, time, columns in (
        ("a", 0.1, {"library": "numpy 2.3.0", "accuracy": 0.8, "peak_flops": 1e11, "memory_gib": 16.0}),
        ("b", 0.2, {"library": "numpy 2.4.6", "accuracy": 0.9, "peak_flops": 2e11, "memory_gib": 32.0}),
    ):
        written(tmp_path / f"{run}.csv", {("nielsen", "matrix"): time}, run_id=run, **columns)
    data = figures(records.read(records.files([tmp_path])))
    assert [machine["memory_gib"] for machine in data["machines"]] == [16.0, 32.0]
    shown = [(cell["library"], cell["accuracy"], cell["peak"][0]) for cell in data["cells"]]
    assert shown == [("numpy 2.3.0", 0.8, 100), ("numpy 2.4.6", 0.9, 200)]


def test_the_page_of_a_killed_run_contains_its_complete_rows(tmp_path):
    writer = records.Writer(tmp_path / "a.csv")
    writer.add(rows(NAMED))
    cut = writer.partial
    cut.write_bytes(cut.read_bytes()[:-9])
    assert main(["report", str(cut), "-o", str(tmp_path / "report.html")]) == 0
    copy = tmp_path / "raw.csv"
    copy.write_bytes(part(tmp_path / "report.html", "raw"))
    assert len(records.read([copy])) == len(rows(NAMED)) - 1


def test_text_of_a_csv_is_never_markup(page):
    text = page.read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert text.count("</script>") == text.count("<script") == 4


def test_a_csv_with_training_rows_only_makes_a_page(tmp_path):
    csv = ROOT / "results" / "amd-epyc-zen5-2-core" / "book.csv"
    assert main(["report", str(csv), "-o", str(tmp_path / "book.html")]) == 0
    data = json.loads(part(tmp_path / "book.html", "figures"))
    assert [machine["label"] for machine in data["machines"]] == ["amd-epyc-zen5-2-core"]
    best = records.read([csv]).groupby("trainer")["accuracy"].max().to_dict()
    assert {curve["trainer"]: max(curve["accuracy"]) for curve in data["curves"]} == best


def test_ten_machines_fit_into_two_megabytes(tmp_path):
    times = {key: [seconds * (1 + (7 * i % 13) / 977) for i in range(25)] for key, seconds in (NAMED | GRID).items()}
    for number in range(10):
        written(tmp_path / f"{number}.csv", times, machine=f"machine-{number}", run_id=f"r{number}")
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "report.html")]) == 0
    assert (tmp_path / "report.html").stat().st_size < 2e6


def test_bad_input_is_refused_and_a_broken_file_can_be_skipped(tmp_path, capsys):
    good = written(tmp_path / "good.csv", NAMED)
    (tmp_path / "bad.csv").write_text(good.read_text(encoding="utf-8") + "2,r1\n", encoding="utf-8")
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "a.html")]) == 2
    assert f"bad.csv, line {len(rows(NAMED)) + 2}: " in capsys.readouterr().err
    assert not (tmp_path / "a.html").exists()
    assert main(["report", str(tmp_path), "--skip-broken", "-o", str(tmp_path / "a.html")]) == 0
    assert part(tmp_path / "a.html", "raw") == good.read_bytes()
    assert main(["report", str(good), "-o", str(tmp_path)]) == 2
    assert f"-o {tmp_path}: " in capsys.readouterr().err


# --- in a browser --------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory):
    """Headless Chromium with the page open."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("Chromium is not installed; apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1100,1400", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    downloads = tmp_path_factory.mktemp("downloads")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    opened.downloads = downloads
    try:
        opened.get(page.as_uri())
        drawn(opened)
        yield opened
    finally:
        opened.quit()


def until(browser, condition):
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(browser, 20, poll_frequency=0.05).until(lambda _: condition())


def drawn(browser, state="0/"):
    until(browser, lambda: browser.execute_script("return document.body.dataset.drawn") == state)


def find(browser, selector):
    return browser.find_elements("css selector", selector)


def choose(browser, select, text):
    from selenium.webdriver.support.select import Select

    Select(find(browser, f"#{select}")[0]).select_by_visible_text(text)


def column(browser, heading, element="ladder-table"):
    headings = [cell.text.split(" \u2195")[0].strip() for cell in find(browser, f"#{element} th")]
    number = next(i for i, text in enumerate(headings, start=1) if text.startswith(heading))
    return [cell.text for cell in find(browser, f"#{element} td:nth-child({number})")]


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
    for bars in ("#anatomy-seconds", "#anatomy-percent"):
        marks = find(browser, f"{bars} svg .mark-rect.role-mark path")
        assert sorted(PART_COLOURS.index(mark.get_attribute("fill").upper()) for mark in marks) == sorted(4 * list(range(4)))
    shares = ["30.0 ms, 3.0 %", "30.0 ms, 30.0 %", "30.0 ms, 6.0 %", "30.0 ms, 60.0 %"]
    assert sorted(column(browser, "calls", "anatomy-table")) == sorted(shares)
    assert column(browser, "memory") == ["200 MB"] * 4


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
