"""Pytest plugin `-p bench.measure.case_log`, which prints an event when a case begins or ends, and when the run ends."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from bench.measure import summary
from bench.measure.pytest_internals import parameter
from bench.measure.stash import RUN
from bench.system.child_events import event_line


def _print(config: pytest.Config, **content: object) -> None:
    config.get_terminal_writer().line(event_line(**content), flush=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Print an event before and after a case. If the case is interrupted or crashes, the second event is missing."""
    run, case = item.config.stash[RUN], parameter(item, "case")
    _print(item.config, begins=case.key)
    result = yield
    skipped, failed = run.outcomes.skipped.get(case), run.outcomes.failed.get(case)
    outcome = "skipped" if skipped else "failed" if failed else "measured"
    _print(item.config, ends=case.key, outcome=outcome, text=skipped or failed or summary.measured(run, case))
    return result


def pytest_unconfigure(config: pytest.Config) -> None:
    """Print an event with the warnings of the run."""
    if run := config.stash.get(RUN, None):
        _print(config, warnings=run.warnings)
