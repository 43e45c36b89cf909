"""The first door, `pytest bench --benchmark-only`: its options, fixtures, progress, recording and summary."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from bench import summary
from bench.options import declare, parse
from bench.run import Case, Run, prepare
from impls import InputError

RUN = pytest.StashKey[Run]()
FILES = pytest.StashKey[list[Path]]()

# With any other option of pytest-benchmark its own table is wanted too; without, ours says it all.
_OUR_TABLE_SUFFICES = ("--benchmark-only", "--benchmark-disable", "--benchmark-skip", "--benchmark-enable")


def pytest_addoption(parser: pytest.Parser) -> None:
    declare(parser.getgroup("epochbench", "what to measure, and how").addoption)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    given = [str(argument) for argument in config.invocation_params.args]
    if not any(argument.startswith("--benchmark-") and argument not in _OUR_TABLE_SUFFICES for argument in given):
        config.option.benchmark_quiet = True


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    try:
        options = parse(vars(config.option), results=config.rootpath / "results" / "local")
        config.stash[RUN] = prepare(options, kind="timing")
    except InputError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_report_header(config: pytest.Config) -> str:
    return "epochbench: loading the data and looking at the machine"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", metafunc.config.stash[RUN].cases, ids=str)


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Run:
    """What the cases share."""
    return request.config.stash[RUN]


@pytest.fixture
def progress(request: pytest.FixtureRequest, case: Case, run: Run) -> Callable[[str], None]:
    """A function that shows, on a terminal, what is being done to which case, and how far the run is."""
    reporter: Any = request.config.pluginmanager.getplugin("terminalreporter")
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")
    place = f"[{run.cases.index(case) + 1}/{len(run.cases)}] {case.workload.name} · {case.trainer}"

    def show(doing: str) -> None:
        if reporter.isatty:
            with capture.global_and_fixture_disabled():
                reporter.rewrite(f"{place} · {doing}", erase=True)

    return show


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note why a case gave no row; turn the skip of a required trainer into a failure."""
    report = yield
    case = getattr(item, "callspec", None) and item.callspec.params.get("case")  # type: ignore[attr-defined]
    if not isinstance(case, Case):
        return report
    run = item.config.stash[RUN]
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if case.trainer in run.options.require:
            report.outcome, report.longrepr = "failed", f"{case}: required (--require), but skipped: {reason}"
            run.failed[case] = f"required, but {reason}"
        else:
            run.skipped[case] = reason
    elif report.failed and call.excinfo is not None:
        run.failed[case] = str(call.excinfo.value) or call.excinfo.typename
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport | pytest.CollectReport, config: pytest.Config) -> tuple[str, str, str] | None:
    """Show a line a case instead of pytest's letters."""
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give the CSV its name and draw the charts, also when some cases failed."""
    run = session.config.stash.get(RUN, None)
    files: list[Path] = []
    if run is not None and (written := run.writer.close()) is not None:
        files.append(written)
        if run.options.charts:
            from bench import plot

            files += plot.charts([written], run.options.results)
    session.config.stash[FILES] = files


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    run = config.stash.get(RUN, None)
    if run is None:
        return
    width, colours = terminalreporter._tw.fullwidth, terminalreporter._tw.hasmarkup
    terminalreporter.ensure_newline()
    terminalreporter.write(summary.text(run, config.stash.get(FILES, []), width=width, colours=colours))


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Leave out what changes from minute to minute or names the host: a stored run is compared by this."""
    machine_info.pop("node", None)
    for key in [key for key in machine_info.get("cpu", {}) if key.startswith("hz_")]:
        del machine_info["cpu"][key]
