"""Unpublished members of pytest and pytest-benchmark that the benchmark uses: they exist and work as expected."""

import io
import json

import pytest
from _pytest.terminal import TerminalReporter

from bench.measure.pytest_internals import Terminal, parameter
from bench.system.progress import LOGGER, progress, show_with

PROBE = """
import pytest
from bench.measure import pytest_internals

def test_finished(benchmark):
    with pytest_internals.stored_if_finished(benchmark):
        benchmark.pedantic(sum, args=([1, 2],), rounds=3)
    assert len(pytest_internals.timed_seconds(benchmark)) == 3

def test_failed_after_it_was_timed(benchmark):
    with pytest.raises(ValueError), pytest_internals.stored_if_finished(benchmark):
        benchmark.pedantic(sum, args=([1, 2],), rounds=3)
        raise ValueError

def test_failed_before(benchmark):
    with pytest_internals.stored_if_finished(benchmark):
        raise ValueError
"""


def test_rounds_are_read_and_only_a_finished_benchmark_is_stored(pytester):
    pytester.makepyfile(PROBE)
    result = pytester.runpytest_inprocess("--benchmark-only", "--benchmark-json=stored.json", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, failed=1, warnings=0)
    stored = json.loads((pytester.path / "stored.json").read_text(encoding="utf-8"))
    assert [benchmark["name"] for benchmark in stored["benchmarks"]] == ["test_finished"]


def test_the_table_of_pytest_benchmark_is_hidden(pytester):
    pytester.makepyfile("def test_one(benchmark):\n    benchmark(sum, [1, 2])\n")
    hides = "from bench.measure import pytest_internals\ndef pytest_configure(config):\n    pytest_internals.hide_benchmark_table(config)\n"
    assert "Outliers" in pytester.runpytest_inprocess().stdout.str()
    pytester.makeconftest(hides)
    assert "Outliers" not in pytester.runpytest_inprocess().stdout.str()


@pytest.mark.parametrize(("arguments", "expected"), [(["--benchmark-compare-fail=median:5%"], "True"), ([], "False")])
def test_a_comparison_without_a_stored_run_is_detected(pytester, arguments, expected):
    pytester.makepyfile("def test_one(benchmark, pytestconfig):\n    benchmark(sum, [1, 2])\n")
    pytester.makeconftest(
        "from bench.measure import pytest_internals\n"
        "def pytest_report_header(config):\n    return f'nothing: {pytest_internals.compares_with_nothing(config) is not None}'\n"
    )
    assert f"nothing: {expected}" in pytester.runpytest_inprocess(*arguments).stdout.str()


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("screen", "written"), [(Screen, ["", "verifying", "", "0.1 s"]), (io.StringIO, ["0.1 s"])])
def test_a_line_replaces_the_progress_message(pytestconfig, monkeypatch, screen, written):
    terminal = Terminal(pytestconfig)
    reporter = TerminalReporter(pytestconfig, screen())
    monkeypatch.setattr(terminal, "_reporter", reporter)
    monkeypatch.setattr(terminal, "_verbose", False)
    monkeypatch.setattr(LOGGER, "handlers", [])
    show_with(terminal)
    progress("verifying")
    terminal.write_line("0.1 s")
    assert [shown.rstrip() for shown in reporter._tw._file.getvalue().split("\r")] == written


@pytest.mark.parametrize("case", ["one"])
def test_parameter_returns_its_value_or_none(request, case):
    assert (parameter(request.node, "case"), parameter(request.node, "other")) == (case, None)


def test_uncaptured_output_is_not_captured(pytestconfig, capsys):
    with Terminal(pytestconfig).uncaptured():
        print(end="", flush=True)
    print("captured")
    assert capsys.readouterr().out == "captured\n"


def test_has_colours_follows_the_terminal(pytester):
    pytester.makeconftest(
        "from bench.measure import pytest_internals\n"
        "def pytest_terminal_summary(terminalreporter):\n"
        "    terminalreporter.write_line(f'colours: {pytest_internals.has_colours(terminalreporter)}')\n"
    )
    assert "colours: False" in pytester.runpytest_inprocess("--color=no").stdout.str()
    assert "colours: True" in pytester.runpytest_inprocess("--color=yes").stdout.str()
