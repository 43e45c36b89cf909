"""Options of other pytest plugins, and tools of Python, with which no time would be right. A run refuses them before it measures."""

from __future__ import annotations

import sys
from typing import Any

import pytest

_AT_ONCE = "cases that run at once slow each other down"
_ELSEWHERE = "a case in a process of its own cannot add its rows to the CSV"
_PROFILED = "a profiler slows Python code down"

# Per option, as pytest names its value: the option, and the reason.
_REFUSED = {
    "numprocesses": ("-n", _AT_ONCE),  # pytest-xdist
    "workers": ("--workers", _AT_ONCE),  # pytest-parallel
    "tests_per_worker": ("--tests-per-worker", _AT_ONCE),
    "parallel_threads": ("--parallel-threads", _AT_ONCE),  # pytest-run-parallel
    "iterations": ("--iterations", _AT_ONCE),
    "forked": ("--forked", _ELSEWHERE),  # pytest-forked
    "cov_source": ("--cov", "coverage slows Python code down"),  # pytest-cov
    "profile": ("--profile", _PROFILED),  # pytest-profiling
    "profile_svg": ("--profile-svg", _PROFILED),
    "memray": ("--memray", _PROFILED),  # pytest-memray
    "codspeed": ("--codspeed", "it replaces the fixture that times the epochs"),  # pytest-codspeed
}


def refusal(config: pytest.Config) -> str | None:
    """Return why this run cannot measure, with a fix, on one line; None if it can."""
    options: dict[str, Any] = vars(config.option)
    once = {name: options.get(name) in (1, "1") for name in ("parallel_threads", "iterations")}
    without_effect = once | {"cov_source": options.get("no_cov")}
    for name, (option, reason) in _REFUSED.items():
        if options.get(name) and not without_effect.get(name):
            return f"{option}: {reason}; run pytest bench without {option}"
    if (tracer := _tracer()) and not options.get("benchmark_disable"):
        return f"{tracer}: it traces this process, which slows Python code down; run without it, or with --benchmark-disable"
    return None


def _tracer() -> str | None:
    """Return the name of a debugger, a profiler or a coverage tool that traces this process; None if there is none."""
    if function := sys.gettrace() or sys.getprofile():
        return str(getattr(function, "__module__", None) or type(function).__name__).partition(".")[0]
    if monitoring := getattr(sys, "monitoring", None):  # Python 3.12
        return next(filter(None, map(monitoring.get_tool, range(6))), None)
    return None
