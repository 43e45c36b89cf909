"""The first door, `pytest bench --benchmark-only`: its options, fixtures, progress, recording and summary."""

from __future__ import annotations

import signal
from collections.abc import Generator
from types import FrameType
from typing import Any

import pytest

from bench.measure import summary
from bench.measure.case import Case
from bench.measure.pytest_internals import Terminal, compares_with_nothing, has_colours, hide_benchmark_table, parameter
from bench.measure.run import Run, prepare
from bench.measure.stash import RUN, WATCHDOG
from bench.measure.watchdog import Watchdog
from bench.options import declare, parse
from bench.system.progress import LOGGER, show_with
from bench.system.signals import catch
from impls import InputError

# With any other option of pytest-benchmark its own table is wanted too; without, ours says it all.
_OUR_TABLE_SUFFICES = ("--benchmark-only", "--benchmark-disable", "--benchmark-skip", "--benchmark-enable")


def pytest_addoption(parser: pytest.Parser) -> None:
    declare(parser.getgroup("epochbench", "what to measure, and how").addoption)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    given = [str(argument) for argument in config.invocation_params.args]
    if not any(argument.startswith("--benchmark-") and argument not in _OUR_TABLE_SUFFICES for argument in given):
        hide_benchmark_table(config)


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    _stop_as_by_ctrl_c(config)
    _refuse_to_compare_with_nothing(config)
    try:
        options = parse(vars(config.option), results=config.rootpath / "results" / "local")
        config.stash[RUN] = prepare(options, kind="timing")
    except InputError as error:
        raise pytest.UsageError(str(error)) from None
    Terminal(config).name_no_files()  # there is a line for each case


def _stop_as_by_ctrl_c(config: pytest.Config) -> None:
    """Let a signal to end the process end the run as Ctrl-C does, with its summary."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt(f"stopped by {signal.Signals(number).name}")

    config.add_cleanup(catch(stop, "SIGTERM", "SIGHUP"))


def _refuse_to_compare_with_nothing(config: pytest.Config) -> None:
    """Say at the start what pytest-benchmark would say in the end: that there is no stored run for --benchmark-compare-fail."""
    if storage := compares_with_nothing(config):
        raise pytest.UsageError(
            f"--benchmark-compare-fail: no stored run to compare with in {storage}: store one with --benchmark-autosave, "
            "then add --benchmark-compare; or have both measured now: python -m bench gate"
        )


def pytest_report_header(config: pytest.Config) -> list[str]:
    return summary.machine_lines(config.stash[RUN])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", metafunc.config.stash[RUN].cases, ids=str)


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Run:
    """What the cases share."""
    return request.config.stash[RUN]


@pytest.fixture(scope="session")
def watchdog(request: pytest.FixtureRequest) -> Watchdog:
    """What watches over the cases."""
    return request.config.stash[WATCHDOG]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Watch over those cases that were selected."""
    config, terminal = session.config, Terminal(session.config)
    run = config.stash[RUN]
    run.cases = [case for case in map(_case, session.items) if case and not config.option.collectonly]
    if not run.cases:
        return
    show_with(terminal)
    config.add_cleanup(LOGGER.handlers.clear)
    with terminal.uncaptured():
        watchdog = config.stash[WATCHDOG] = Watchdog(run)
    config.add_cleanup(watchdog.close)


def pytest_enter_pdb(config: pytest.Config) -> None:
    """Give somebody who debugs the time that it takes."""
    config.stash[WATCHDOG].rest("in the debugger")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say how a case ended and note why it gave no row; the skip of a required trainer becomes a failure."""
    report = yield
    case = _case(item)
    if case is None or report.when == "teardown" or (report.when == "setup" and report.passed):
        return report
    run = item.config.stash[RUN]
    skipped, failed = run.outcomes.skipped, run.outcomes.failed
    if report.skipped and isinstance(report.longrepr, tuple):
        skipped[case] = report.longrepr[2].removeprefix("Skipped: ")
        if case.trainer in run.options.require:
            reason = f"required, but {skipped.pop(case)}"
            report.outcome, report.longrepr, failed[case] = "failed", f"{case} is {reason}", reason
    elif report.failed and call.excinfo is not None:
        failed[case] = f"{call.excinfo.typename}: {call.excinfo.value}".removeprefix("Failed: ")
    item.config.stash[WATCHDOG].finish(case)
    ended = "skipped" if case in skipped else "FAILED" if case in failed else summary.measured(run, case) or "ran once"
    Terminal(item.config).write_line(f"{run.prefix(case)}  {ended}")
    return report


def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport, config: pytest.Config) -> tuple[str, str, str] | None:
    """A case has its line; pytest's letter for it is left out."""
    if "test_epoch[" not in report.nodeid or config.option.verbose or (report.when != "call" and report.passed):
        return None
    return report.outcome, "", ""


def _case(item: pytest.Item) -> Case | None:
    """Return the case that a test times."""
    case = parameter(item, "case")
    return case if isinstance(case, Case) else None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Give the CSV its name and draw the charts, also when cases failed. A run that did not reach all keeps its partial CSV."""
    run = session.config.stash.get(RUN, None)
    if run is not None and WATCHDOG in session.config.stash:
        stopped = bool(run.unfinished())
        run.close(stopped=stopped)
        if not stopped:
            session.config.stash[WATCHDOG].rest("charts")
            try:
                run.draw()
            except KeyboardInterrupt:
                session.exitstatus = pytest.ExitCode.INTERRUPTED


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    run = config.stash.get(RUN, None)
    if run is None:
        return
    terminalreporter.ensure_newline()
    terminalreporter.write(summary.text(run, colours=has_colours(terminalreporter)))


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Leave out what changes from minute to minute or names the host: a stored run is compared by this."""
    machine_info.pop("node", None)
    for key in [key for key in machine_info.get("cpu", {}) if key.startswith("hz_")]:
        del machine_info["cpu"][key]
