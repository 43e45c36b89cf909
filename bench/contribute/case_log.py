"""A pytest plugin, `-p bench.contribute.case_log`: prints a JSON object when a case begins, when it ends, and when the run ends.

The process that started pytest reads these lines among the others: `bench.contribute.child.event`.
"""

from __future__ import annotations

import json
from collections.abc import Generator

import pytest

from bench.contribute.child import MARK


def _print(config: pytest.Config, **content: object) -> None:
    config.get_terminal_writer().line(MARK + json.dumps(content), flush=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Print the begin and the end of a case. A case that is interrupted, or crashes, has no end."""
    from bench.measure import summary
    from bench.measure.stash import RUN

    run, case = item.config.stash[RUN], item.callspec.params["case"]  # type: ignore[attr-defined]
    key = [case.workload.name, case.trainer]
    _print(item.config, begins=key)
    result = yield
    skipped, failed = run.outcomes.skipped.get(case), run.outcomes.failed.get(case)
    outcome = "skipped" if skipped else "failed" if failed else "measured"
    _print(item.config, ends=key, outcome=outcome, text=skipped or failed or summary.measured(run, case))
    return result


def pytest_unconfigure(config: pytest.Config) -> None:
    """Print the warnings of the run."""
    from bench.measure.stash import RUN

    if run := config.stash.get(RUN, None):
        _print(config, warnings=run.warnings)
