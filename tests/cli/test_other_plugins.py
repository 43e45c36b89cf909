"""`pytest bench` with other plugins and tools: it measures, or says in one line why it cannot. `.ci/run` installs more plugins."""

import os
import re
import subprocess
import sys
from argparse import Namespace
from types import SimpleNamespace

import pytest

from bench.measure.refused_plugins import refusal
from tests.support.commands import BENCH, QUICK, ROOT, bench, run


def configuration(*plugins, **options):
    """Return pytest's configuration with these plugins and options."""
    return SimpleNamespace(option=Namespace(**options), pluginmanager=SimpleNamespace(hasplugin=plugins.__contains__))


def test_several_processes_at_once_are_refused():
    for options, variables in ((("-n", "2"), {}), ((), {"PYTEST_ADDOPTS": "-n 2"})):
        output = run(*BENCH, *QUICK, "--trainers", "matrix", *options, env=os.environ | variables)
        assert output.returncode == 4
        assert re.search("^ERROR: -n: .*PYTEST_ADDOPTS$", output.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("plugin", "options", "refused"),
    [
        ("xdist", {"numprocesses": 1}, "-n"),
        ("xdist", {"numprocesses": None, "tx": ["2*popen"]}, "--tx"),
        ("pytest_cov", {"cov_source": [True]}, "--cov"),
        ("pytest_cov", {"cov_source": [True], "no_cov": True}, None),
        ("run-parallel", {"parallel_threads": 1, "iterations": 1}, None),
        ("run-parallel", {"parallel_threads": "auto"}, "--parallel-threads"),
        ("pytest_forked", {"forked": True}, "--forked"),
        ("codspeed", {"codspeed": True}, "--codspeed"),
        ("profiling", {"profile": False}, None),
        ("a conftest.py", {"profile": "staging"}, None),
    ],
    ids=str,
)
def test_options_that_change_the_times_are_refused(plugin, options, refused):
    message = refusal(configuration(plugin, benchmark_disable=True, **options))
    assert (message and message.thing) == refused


@pytest.mark.parametrize(("switch", "code"), [("--benchmark-only", 4), ("--benchmark-disable", 0)])
def test_a_traced_process_is_refused_unless_nothing_is_timed(switch, code, tmp_path):
    program = "import sys, pytest; sys.settrace(lambda *event: None); sys.exit(pytest.main(sys.argv[1:]))"
    options = ("bench", "-p", "no:cacheprovider", switch, *QUICK, "--trainers", "matrix", "--no-charts", "--results", str(tmp_path))
    output = subprocess.run([sys.executable, "-c", program, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert output.returncode == code, output.stdout
    assert ("traces this process" in output.stderr) == bool(code)


@pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="Python 3.12 has sys.monitoring")
def test_a_monitoring_tool_is_refused():
    if sys.gettrace() or sys.monitoring.get_tool(sys.monitoring.COVERAGE_ID):
        pytest.skip("the tests themselves are traced")
    sys.monitoring.use_tool_id(sys.monitoring.COVERAGE_ID, "a coverage tool")
    try:
        message = refusal(configuration(benchmark_disable=False))
    finally:
        sys.monitoring.free_tool_id(sys.monitoring.COVERAGE_ID)
    assert message.thing == "a coverage tool"


def test_a_case_that_is_collected_twice_is_refused(tmp_path):
    output = bench("bench", "--keep-duplicates", *QUICK, "--trainers", "matrix", "--results", tmp_path)
    assert output.returncode == 4
    assert re.search("nielsen-matrix: .*--rounds N", output.stderr)


AT_ANY_TIME = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    from _pytest.runner import runtestprotocol
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(report.failed for report in reports):
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True

def pytest_collection_modifyitems(items):
    items.reverse()
"""

ONCE = """
from impls.matrix import Matrix

class Once(Matrix):
    failed = False

    def _setup(self, *arguments):
        if not Once.failed:
            Once.failed = True
            raise RuntimeError("the first time only")
        super()._setup(*arguments)
"""


def test_a_case_that_another_plugin_runs_again_has_one_outcome_and_the_table_its_order(tmp_path):
    (tmp_path / "at_any_time.py").write_text(AT_ANY_TIME)
    (tmp_path / "once.py").write_text(ONCE)
    options = ("-p", "at_any_time", "--trainers", "loop,matrix,once:Once", "--no-charts", "--results", tmp_path)
    output = bench(*QUICK, *options, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert output.returncode == 0, output.stdout + output.stderr
    assert "FAILED once:Once" not in output.stdout
    rows = [line.split()[0] for line in output.stdout.splitlines() if " ms (" in line]
    assert rows == ["loop", "matrix", "once:Once"]


def test_an_option_that_another_plugin_has_too_is_named(tmp_path):
    (tmp_path / "sower.py").write_text("def pytest_addoption(parser):\n    parser.addoption('--seed')\n")
    output = bench("-p", "sower", *QUICK, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert output.returncode == 4
    assert re.search("--seed: .*-p no:NAME", output.stderr)
    assert "Traceback" not in output.stderr
