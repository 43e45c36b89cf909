"""Options of other pytest plugins, and Python tools, that distort timings. A run refuses them before it measures."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from impls import InputError

_AT_ONCE = "cases that run at once slow each other down"
_ELSEWHERE = "a case in a process of its own cannot add its rows to the CSV"
_PROFILED = "a profiler slows Python code down"

# Per option, as pytest names its value: the plugin, the option, and the reason.
_REFUSED = {
    "numprocesses": ("xdist", "-n", _ELSEWHERE),
    "tx": ("xdist", "--tx", _ELSEWHERE),
    "forked": ("pytest_forked", "--forked", _ELSEWHERE),
    "workers": ("parallel", "--workers", _AT_ONCE),
    "tests_per_worker": ("parallel", "--tests-per-worker", _AT_ONCE),
    "parallel_threads": ("run-parallel", "--parallel-threads", _AT_ONCE),
    "iterations": ("run-parallel", "--iterations", _AT_ONCE),
    "cov_source": ("pytest_cov", "--cov", "coverage slows Python code down"),
    "profile": ("profiling", "--profile", _PROFILED),
    "profile_svg": ("profiling", "--profile-svg", _PROFILED),
    "memray": ("memray", "--memray", _PROFILED),
    "codspeed": ("codspeed", "--codspeed", "it replaces the fixture that times the epochs"),
}


def refusal(config: pytest.Config) -> InputError | None:
    """Return why this run cannot measure; None if it can."""
    options: dict[str, Any] = vars(config.option)
    once = {name: options.get(name) in (1, "1") for name in ("parallel_threads", "iterations")}
    without_effect = once | {"cov_source": options.get("no_cov")}
    for name, (plugin, option, reason) in _REFUSED.items():
        if options.get(name) and not without_effect.get(name) and config.pluginmanager.hasplugin(plugin):
            return InputError(option, reason, "leave it out, also of PYTEST_ADDOPTS")
    if (tracer := _tracer()) and not options.get("benchmark_disable"):
        return InputError(tracer, "it traces this process, which slows Python code down", "run without it, or with --benchmark-disable")
    return None


def _tracer() -> str | None:
    """Return the name of a debugger, a profiler or a coverage tool that traces this process; None if there is none."""
    if function := sys.gettrace() or sys.getprofile():
        return str(getattr(function, "__module__", None) or type(function).__name__).partition(".")[0]
    if monitoring := getattr(sys, "monitoring", None):  # Python 3.12
        return next(filter(None, map(monitoring.get_tool, range(6))), None)
    return None
