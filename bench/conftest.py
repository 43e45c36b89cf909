"""pytest plugin for `pytest bench --benchmark-only`: options, fixtures, progress, recording and summary."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Generator
from types import FrameType
from typing import Any

import pytest

from bench.machine import adapter
from bench.measure import summary
from bench.measure.case import Case
from bench.measure.pytest_internals import (
    Terminal,
    compares_with_nothing,
    declared_options,
    has_colours,
    hide_benchmark_table,
    parameter,
    remove_empty_storage,
    set_exit_code,
)
from bench.measure.refused_plugins import refusal
from bench.measure.run import Run, prepare
from bench.measure.stash import RUN, WATCHDOG
from bench.measure.watchdog import Watchdog
from bench.options import declare, parse
from bench.system import own_code
from bench.system.exits import exit_without_waiting
from bench.system.own_command import own_command
from bench.system.progress import LOGGER, show_with
from bench.system.signals import catch
from impls import InputError

# With any other option of pytest-benchmark, the user also wants its table. Otherwise the summary of this plugin is enough.
_OUR_TABLE_SUFFICES = ("--benchmark-only", "--benchmark-disable", "--benchmark-skip", "--benchmark-enable")


def pytest_addoption(parser: pytest.Parser) -> None:
    own_code.find_modules_here()
    taken = declared_options(parser)

    def add(*names: str, **attributes: Any) -> None:
        if both := taken.intersection(names):
            fix = f"disable it with -p no:NAME; if a conftest.py declares the option, use {own_command()} run"
            raise pytest.UsageError(f"{min(both)}: another plugin declares this option; {fix}")
        group.addoption(*names, **attributes)

    group = parser.getgroup("epochbench", "epochbench: workloads, trainers and output")
    declare(add)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    given = [str(argument) for argument in config.invocation_params.args]
    if not any(argument.startswith("--benchmark-") and argument not in _OUR_TABLE_SUFFICES for argument in given):
        hide_benchmark_table(config)
    # Show that there is no stored run, or only one of another machine.
    config.addinivalue_line("filterwarnings", "default::pytest_benchmark.logger.PytestBenchmarkWarning")


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    config.add_cleanup(lambda: exit_without_waiting(int(session.exitstatus)))  # the first cleanup is called last
    remove_empty_storage(config)  # now, too, because a crash would leave it
    _stop_as_by_ctrl_c(config)
    try:
        if refused := refusal(config):
            raise refused
        _refuse_to_compare_with_nothing(config)
        adapter.choose(config.getoption("bench_adapter"))
        options = parse(vars(config.option), results=config.invocation_params.dir / "results" / "local")
        config.stash[RUN] = prepare(options, kind="timing")
    except InputError as error:
        raise pytest.UsageError(str(error)) from None
    Terminal(config).name_no_files()  # this plugin prints a line for each case


def _stop_as_by_ctrl_c(config: pytest.Config) -> None:
    """Let SIGTERM and SIGHUP end the run with its summary, as Ctrl-C does, and SIGINT too if a shell started the run in the background."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt(f"stopped by {signal.Signals(number).name}")

    config.add_cleanup(catch(stop, "SIGTERM", "SIGHUP"))
    config.add_cleanup(catch(signal.default_int_handler, "SIGINT"))


def _refuse_to_compare_with_nothing(config: pytest.Config) -> None:
    """Raise InputError before the run if --benchmark-compare-fail has no stored run; pytest-benchmark reports this only at the end."""
    if storage := compares_with_nothing(config):
        raise InputError(
            "--benchmark-compare-fail",
            f"no stored run to compare with in {storage}",
            f"store one with --benchmark-autosave, then add --benchmark-compare, or compare two revisions with {own_command()} gate",
        )


def pytest_report_header(config: pytest.Config) -> list[str]:
    return summary.machine_lines(config.stash[RUN]) if RUN in config.stash else []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each case its test. If pytest came across this directory during collection (`pytest .`), there is no run, and no case."""
    if "case" in metafunc.fixturenames:
        run = metafunc.config.stash.get(RUN, None)
        reason = f"to measure, use {own_command()} run, or pytest bench in a clone"
        skipped = [pytest.param(None, marks=pytest.mark.skip(reason), id="no case")]
        metafunc.parametrize("case", run.cases if run else skipped, ids=str)


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Run:
    """State that the cases share."""
    return request.config.stash[RUN]


@pytest.fixture(scope="session")
def watchdog(request: pytest.FixtureRequest) -> Watchdog:
    """Watchdog of the cases."""
    return request.config.stash[WATCHDOG]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the watchdog for the selected cases."""
    config, terminal = session.config, Terminal(session.config)
    run = config.stash.get(RUN, None)
    if run is None:
        return
    run.cases = [case for case in map(_case, session.items) if case and not config.option.collectonly]
    if repeated := [case for case, count in Counter(run.cases).items() if count > 1]:
        raise pytest.UsageError(f"{repeated[0]}: collected several times; run each case once, and give --rounds N for more rounds")
    if not run.cases:
        return
    show_with(terminal)
    if absent := run.absent():
        terminal.write_line(absent)
    config.add_cleanup(LOGGER.handlers.clear)
    with terminal.uncaptured():
        watchdog = config.stash[WATCHDOG] = Watchdog(run)
    config.add_cleanup(watchdog.close)


def pytest_enter_pdb(config: pytest.Config) -> None:
    """Disable the step timeout while the debugger is active."""
    if WATCHDOG in config.stash:
        config.stash[WATCHDOG].rest("in the debugger")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print how a case ended, and record why it has no row. Turn the skip of a required trainer into a failure."""
    report = yield
    case = _case(item)
    if case is None or report.when == "teardown" or (report.when == "setup" and report.passed):
        return report
    run = item.config.stash[RUN]
    skipped, failed = run.outcomes.skipped, run.outcomes.failed
    failed.pop(case, None)  # a plugin may run a failed case again
    if report.skipped and isinstance(report.longrepr, tuple):
        skipped[case] = report.longrepr[2].removeprefix("Skipped: ")
        if case.trainer in run.options.require:
            reason = f"required, but {skipped.pop(case)}"
            report.outcome, report.longrepr, failed[case] = "failed", f"{case} is {reason}", reason
    elif report.failed and call.excinfo is not None:
        failed[case] = f"{call.excinfo.typename}: {call.excinfo.value}".removeprefix("Failed: ")
    item.config.stash[WATCHDOG].finish(case)
    ended = "skipped" if case in skipped else "FAILED" if case in failed else summary.measured(run, case) or "ran once"
    if not case.absent or case in failed:
        Terminal(item.config).write_line(f"{run.prefix(case)}  {ended}")
    return report


def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport, config: pytest.Config) -> tuple[str, str, str] | None:
    """Leave out pytest's letter for a case, because the case has a line of its own."""
    if "test_epoch[" not in report.nodeid or config.option.verbose or (report.when != "call" and report.passed):
        return None
    return report.outcome, "", report.outcome.upper()  # the word for the summary of failures


def _case(item: pytest.Item) -> Case | None:
    """Return the case that a test times, or None."""
    case = parameter(item, "case")
    return case if isinstance(case, Case) else None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Rename the CSV, even if cases failed. If the run did not finish all cases, keep the partial file."""
    run = session.config.stash.get(RUN, None)
    if run is not None and WATCHDOG in session.config.stash:
        run.close(stopped=bool(run.unfinished()))
        if run.unfinished() and exitstatus == pytest.ExitCode.OK:  # a trainer or a plugin called pytest.exit
            session.exitstatus = pytest.ExitCode.INTERRUPTED


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the tables. Then draw the charts of a finished run, and print their names."""
    run = config.stash.get(RUN, None)
    if run is None:
        return
    colours = has_colours(terminalreporter)
    terminalreporter.ensure_newline()
    terminalreporter.write(summary.text(run, colours=colours))
    if WATCHDOG in config.stash and not run.unfinished():
        config.stash[WATCHDOG].rest("charts")
        warnings, files = len(run.warnings), len(run.files)
        try:
            run.draw()
        except KeyboardInterrupt:
            set_exit_code(config, pytest.ExitCode.INTERRUPTED)
        terminalreporter.write(summary.notes(run.warnings[warnings:], run.files[files:], colours=colours))


def pytest_unconfigure(config: pytest.Config) -> None:
    remove_empty_storage(config)


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Remove the host name and the clock frequencies, so that pytest-benchmark can compare stored runs by this dictionary."""
    machine_info.pop("node", None)
    for key in [key for key in machine_info.get("cpu", {}) if key.startswith("hz_")]:
        del machine_info["cpu"][key]
