"""The page of two machines, and a browser."""

import shutil

import pytest

from bench.__main__ import main
from tests.bench.report.examples import GRID, HOSTILE, NAMED, TRAINING
from tests.support.rows import written


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    """The page of two machines; one has a hostile name."""
    directory = tmp_path_factory.mktemp("report")
    written(directory / "1.csv", NAMED | GRID, machine="fine", run_id="r1")
    written(directory / "2.csv", {key: seconds / 2 for key, seconds in NAMED.items()}, machine=HOSTILE, run_id="r2", cpu=HOSTILE)
    written(directory / "3.csv", TRAINING, machine="fine", run_id="r3", kind="training")
    assert main(["report", str(directory), "-o", str(directory / "out" / "report.html")]) == 0
    return directory / "out" / "report.html"


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Headless Chromium."""
    webdriver = pytest.importorskip("selenium.webdriver")
    program, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not (program and driver):
        pytest.skip("Chromium is not installed; apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1100,1400", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    downloads = tmp_path_factory.mktemp("downloads")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    opened.downloads = downloads
    try:
        yield opened
    finally:
        opened.quit()
