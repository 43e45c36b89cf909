"""A disturbed case on the page: hollow, marked in the tables, and never called the fastest."""

import pytest

from bench.__main__ import main
from tests.bench.report.browsing import column, drawn, find
from tests.support.rows import written

CALM = {("nielsen", "loop"): 1.0, ("nielsen", "compiled"): 0.1, ("h30-b10", "loop"): 1.0, ("h30-b10", "compiled"): 0.1}
DISTURBED = {("nielsen", "matrix"): 0.01, ("h30-b10", "matrix"): 0.01}  # the fastest, if it were true


@pytest.fixture(scope="module")
def browser(chromium, tmp_path_factory):
    """Chromium with the page of two machines whose fastest trainer was disturbed."""
    directory = tmp_path_factory.mktemp("disturbed")
    for name in ("one", "two"):
        written(directory / f"{name}.csv", CALM, machine=name, run_id=f"calm {name}")
        written(directory / f"{name}-busy.csv", DISTURBED, machine=name, run_id=f"busy {name}", load=0.4)
        for kind in ("compiled", "matrix"):
            written(directory / f"{name}-{kind}.csv", {("nielsen", kind): [0.1] * 5}, machine=name, run_id=f"{kind} {name}",
                    kind="training", load=0.4 if kind == "matrix" else 0.0)  # fmt: skip
    assert main(["report", str(directory), "-o", str(directory / "out" / "report.html")]) == 0
    chromium.get((directory / "out" / "report.html").as_uri())
    drawn(chromium)
    return chromium


@pytest.mark.parametrize("chart", ["ladder", "speedup", "roofline", "learning"])
def test_its_points_are_hollow_and_the_legend_says_so(browser, chart):
    fills = [mark.get_attribute("fill") for mark in find(browser, f"#{chart} svg .mark-symbol.role-mark path")]
    assert fills.count("var(--paper)") == len([fill for fill in fills if fill.startswith("var")]) > 0
    assert any(fill.startswith("#") for fill in fills), "the others are filled"
    assert [item.text for item in find(browser, f"#{chart} .legend li")].count("hollow: disturbed") == 1


def test_its_bars_are_hollow(browser):
    bars = find(browser, "#anatomy figure:nth-child(1) svg .mark-rect.role-mark path")
    assert [bar.get_attribute("fill") == "var(--paper)" for bar in bars].count(True) == len(bars) / 3


@pytest.mark.parametrize("table", ["ladder-table", "anatomy-table", "roofline-table", "learning-table"])
def test_its_rows_say_so(browser, table):
    assert set(column(browser, "trainer", table)) - {"loop"} == {"compiled", "matrix (disturbed)"}


def test_it_is_never_the_fastest(browser):
    named = [text.text for chart in ("ladder", "speedup") for text in find(browser, f"#{chart} svg .mark-text.role-mark text")]
    assert {text.split()[0] for text in named} == {"compiled"}
    assert set(column(browser, "fastest", "maps-table")) == {"compiled"}
    assert "matrix" not in find(browser, "#answer")[0].text
