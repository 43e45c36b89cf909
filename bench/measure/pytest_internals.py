"""Unpublished members of pytest and pytest-benchmark. tests/bench/measure/test_pytest_internals.py checks them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest


class Terminal(logging.Handler):
    """The terminal that pytest writes to. In a process that writes nothing, such as a worker of pytest-xdist, its methods do nothing.

    As a logging handler, it replaces each message with the next one.
    """

    def __init__(self, config: pytest.Config) -> None:
        super().__init__()
        self._reporter: Any = config.pluginmanager.getplugin("terminalreporter")
        self._capture: Any = config.pluginmanager.getplugin("capturemanager")
        self._verbose = bool(getattr(config.option, "verbose", 0))  # an option of the terminal plugin

    @property
    def is_interactive(self) -> bool:
        """Whether the terminal can overwrite a line."""
        return self._reporter is not None and bool(self._reporter.isatty)

    def uncaptured(self) -> AbstractContextManager[None]:
        """Return a context in which pytest does not capture standard output and standard error."""
        return self._capture.global_and_fixture_disabled()  # type: ignore[no-any-return]

    def name_no_files(self) -> None:
        """Leave out the file name and the letters of the tests, unless pytest is verbose."""
        if self._reporter is not None and not self._verbose:
            self._reporter.showfspath = False

    def emit(self, record: logging.LogRecord) -> None:
        """Replace the previous message with this one, if the terminal is interactive."""
        if self.is_interactive:
            with self.uncaptured():
                self._reporter.rewrite(record.getMessage(), erase=True)

    def write_line(self, line: str) -> None:
        """Replace the previous message with a permanent line, unless pytest is verbose."""
        if self._reporter is None or self._verbose:
            return
        if self.is_interactive:
            self._reporter.rewrite("", erase=True)
            self._reporter.rewrite("")
        self._reporter.write_line(line)


def declared_options(parser: pytest.Parser) -> set[str]:
    """Return the names of the options that plugins have declared so far."""
    groups: Any = parser
    return {name for group in (groups._anonymous, *groups._groups) for option in group.options for name in option.names()}


def parameter(item: pytest.Item, name: str) -> Any:
    """Return the value of a test's parameter, or None if the test has no parameter of that name."""
    return item.callspec.params.get(name) if hasattr(item, "callspec") else None


def has_colours(terminalreporter: Any) -> bool:
    """Return whether the terminal of `pytest_terminal_summary` supports colours."""
    return bool(terminalreporter._tw.hasmarkup)


def set_exit_code(config: pytest.Config, code: int) -> None:
    """Set the exit code of the run, while the terminal prints its summary."""
    session: Any = config.pluginmanager.getplugin("session")
    session.exitstatus = code


def hide_benchmark_table(config: pytest.Config) -> None:
    """Prevent pytest-benchmark from printing its table."""
    config.option.benchmark_quiet = True


def compares_with_nothing(config: pytest.Config) -> str | None:
    """Return the storage of pytest-benchmark if it must compare runs and the storage has no run to compare with; else None."""
    session: Any = getattr(config, "_benchmarksession", None)
    if session is not None and session.compare_fail and not session.compared_mapping:
        return str(session.storage)
    return None


def remove_empty_storage(config: pytest.Config) -> None:
    """Remove the directory that pytest-benchmark makes for stored runs, if the run stored nothing there."""
    session: Any = getattr(config, "_benchmarksession", None)
    if path := getattr(getattr(session, "storage", None), "path", None):
        with suppress(OSError):  # it does not exist, or has files
            Path(path).rmdir()


def timed_seconds(benchmark: Any) -> Sequence[float]:
    """Return the seconds of each round that the benchmark fixture timed."""
    return benchmark.stats.stats.data  # type: ignore[no-any-return]


@contextmanager
def stored_if_finished(benchmark: Any) -> Iterator[None]:
    """If an exception ends the context, prevent pytest-benchmark from storing the benchmark, and from warning that nothing was timed."""
    try:
        yield
    except BaseException:  # KeyboardInterrupt too, after which pytest's filters of warnings no longer apply
        benchmark.has_error = True
        benchmark._mode = benchmark._mode or "not timed"
        raise
