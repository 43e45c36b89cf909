"""Members of pytest and pytest-benchmark that neither publishes. tests/bench/measure/test_pytest_internals.py pins them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest


class Terminal(logging.Handler):
    """The terminal as pytest writes to it; where nothing is written (as in a worker of pytest-xdist), its methods do nothing.

    As a handler it shows each message in place of the last one.
    """

    def __init__(self, config: pytest.Config) -> None:
        super().__init__()
        self._reporter: Any = config.pluginmanager.getplugin("terminalreporter")
        self._capture: Any = config.pluginmanager.getplugin("capturemanager")
        self._verbose = bool(config.option.verbose)

    @property
    def is_interactive(self) -> bool:
        """Whether a line can be written over."""
        return self._reporter is not None and bool(self._reporter.isatty)

    def uncaptured(self) -> AbstractContextManager[None]:
        """Return a context in which what is written to standard output and error is not captured."""
        return self._capture.global_and_fixture_disabled()  # type: ignore[no-any-return]

    def name_no_files(self) -> None:
        """Leave out the file's name and a letter for each test, unless the user wants more of pytest."""
        if self._reporter is not None and not self._verbose:
            self._reporter.showfspath = False

    def emit(self, record: logging.LogRecord) -> None:
        """Show the message in place of the last one, if the terminal is interactive."""
        if self.is_interactive:
            with self.uncaptured():
                self._reporter.rewrite(record.getMessage(), erase=True)

    def write_line(self, line: str) -> None:
        """Write a line that stays, in place of the last one, unless the user wants pytest's own lines."""
        if self._reporter is None or self._verbose:
            return
        if self.is_interactive:
            self._reporter.rewrite("", erase=True)
            self._reporter.rewrite("")
        self._reporter.write_line(line)


def parameter(item: pytest.Item, name: str) -> Any:
    """Return the value of a parametrized test's parameter, or None if it has none of that name."""
    return item.callspec.params.get(name) if hasattr(item, "callspec") else None


def has_colours(terminalreporter: Any) -> bool:
    """Return whether the terminal of `pytest_terminal_summary` shows colours."""
    return bool(terminalreporter._tw.hasmarkup)


def hide_benchmark_table(config: pytest.Config) -> None:
    """Have pytest-benchmark print no table."""
    config.option.benchmark_quiet = True


def compares_with_nothing(config: pytest.Config) -> str | None:
    """Return where pytest-benchmark looks for stored runs, if it is to fail a comparison and has none to compare with."""
    session: Any = getattr(config, "_benchmarksession", None)
    if session is not None and session.compare_fail and not session.compared_mapping:
        return str(session.storage)
    return None


def timed_seconds(benchmark: Any) -> Sequence[float]:
    """Return the seconds of each round that the benchmark fixture has timed."""
    return benchmark.stats.stats.data  # type: ignore[no-any-return]


def store_nothing(benchmark: Any) -> None:
    """Have pytest-benchmark store nothing of this benchmark."""
    benchmark.has_error = True
