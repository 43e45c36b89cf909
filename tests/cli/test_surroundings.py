"""Runs in surroundings that users have: environment variables, limits, streams, paths. Several at once, because each alone takes seconds.

If a test fails, run it with half of its settings.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import QUICK, ROOT
from tests.support.few_digits import FEW_DIGITS

pytestmark = [
    pytest.mark.live,  # dozens of runs; .ci/run has the time
    pytest.mark.skipif(os.name == "nt", reason="the settings are those of a Unix shell"),
]

BENCH = "python -m pytest bench -p no:cacheprovider --benchmark-only --no-charts --trainers loop,matrix " + " ".join(QUICK)
WHERE = '--results "$OUT"'
VARIABLES = {
    "language": "LC_ALL=C LANG=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 PYTHONIOENCODING=ascii TZ=Nowhere/Nothing SOURCE_DATE_EPOCH=0",
    "terminal": "COLUMNS=40 NO_COLOR=1 TERM=dumb PAGER=less PYTEST_ADDOPTS=--tb=no",
    "colours": "COLUMNS=abc FORCE_COLOR=1 PY_COLORS=1 CI=1 GITHUB_ACTIONS=true PYTEST_ADDOPTS='-v -s'",
    "folders": "-u HOME TMPDIR=/nonexistent XDG_CACHE_HOME=/nonexistent/x MPLCONFIGDIR=/nonexistent/x PYTHONPYCACHEPREFIX=/nonexistent/x",
    "python": "PYTHONWARNINGS=error PYTHONOPTIMIZE=2 PYTHONNOUSERSITE=1 PYTHONHASHSEED=0 PYTHONFAULTHANDLER=1",
    "debug": "PYTHONDEVMODE=1 PYTHONMALLOC=debug PYTHONASYNCIODEBUG=1",
    "hardware": "CUDA_VISIBLE_DEVICES=-1 OMP_NUM_THREADS=abc OMP_PROC_BIND=close KMP_AFFINITY=disabled OPENBLAS_CORETYPE=Haswell",
    "libraries": "MPLBACKEND=module://nothing NPY_DISABLE_CPU_FEATURES=AVX512F JAX_PLATFORMS=cuda NUMBA_DISABLE_JIT=1",
    "git": "GIT_DIR=/nonexistent GIT_INDEX_FILE=/nonexistent GIT_TRACE=1 GIT_PAGER=cat GIT_CONFIG_GLOBAL=/nonexistent",
    "path": "PATH=/nonexistent",
}
NAMES = ("a b", "a#b", "a%sb%20", "ä ö", "計算", "a'b", "[x]*", "-x", "x" * 200)


def shell(line, tmp_path):
    """Run a line of bash with the tests' Python, and with the folder OUT."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OUT": str(tmp_path)}
    ended = subprocess.run(["bash", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace", check=False)
    output = ended.stdout + ended.stderr
    assert "Traceback" not in output, output
    assert "INTERNALERROR" not in output, output
    return ended.returncode, output


@pytest.mark.parametrize("variables", VARIABLES)
def test_the_main_job_runs_with_variables_of_other_people(tmp_path, variables):
    interpreter = BENCH.replace("python", f'"{sys.executable}"', 1)
    code, output = shell(f"env {VARIABLES[variables]} {interpreter} {WHERE}", tmp_path)
    assert code == 0, output
    assert "\nmatrix " in output


@pytest.mark.parametrize(
    "limit",
    ["ulimit -n 64; ulimit -s 512;", "ulimit -v 3000000;", "nice -n 19", "cat < /dev/null |", "exec <&-;"],
)
def test_the_main_job_runs_within_limits(tmp_path, limit):
    if sys.platform == "darwin" and "-v" in limit:
        pytest.skip("macOS has no such limit")
    code, output = shell(f"{limit} {BENCH} {WHERE}", tmp_path)
    assert code == 0, output
    assert "\nmatrix " in output


def test_results_may_have_any_path(tmp_path):
    for name in NAMES:
        code, output = shell(f"{BENCH} {WHERE}", tmp_path / name)
        assert code == 0, output
        assert len(list((tmp_path / name).iterdir())) == 1


@pytest.mark.parametrize(
    "options",
    ["-p no:terminal", "--capture=no", "--maxfail=1", "--junitxml={}/j.xml", "-W error", "--collect-only", "-p no:tmpdir", "--durations=3"],
)
def test_options_of_pytest_work(tmp_path, options):
    code, output = shell(f"{BENCH} {WHERE} {options.format(tmp_path)}", tmp_path)
    assert code == 0, output


@pytest.mark.parametrize("where", ["README.md", "/dev/null", "/proc/x"])
def test_results_that_cannot_be_written_are_refused_in_one_line(tmp_path, where):
    code, output = shell(f"{BENCH} --results {where}", tmp_path)
    assert (code, output.count("ERROR: ")) == (4, 1), output


COMMANDS = {
    "compare": "python -m bench compare results/amd-epyc-zen5-2-core",
    "check": "python -m bench check results/amd-epyc-zen5-2-core/main.csv",
    "trainers": "python -m bench trainers",
    "machine": "python -m bench machine",
    "plot": 'python -m bench plot results/amd-epyc-zen5-2-core/main.csv -o "$OUT/charts"',
    "train": f'python -m bench train --trainers matrix --epochs 1 --examples 400 --data "{FEW_DIGITS}" --results "$OUT"',
}


@pytest.mark.parametrize("variables", ["language", "folders", "python"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_runs_with_variables_of_other_people(tmp_path, name, variables):
    code, output = shell(f"env {VARIABLES[variables]} {COMMANDS[name]}", tmp_path)
    assert code == 0, output


@pytest.mark.parametrize("name", ["compare", "trainers", "machine"])
def test_a_reader_may_leave_and_a_stream_may_be_closed(tmp_path, name):
    for ending, codes in (("| head -1", {0}), ("> /dev/full", {2}), (">&-", {0, 2}), ("2>&-", {0, 2})):
        if ending == "> /dev/full" and not Path("/dev/full").exists():
            continue
        code, output = shell(f"{COMMANDS[name]} {ending}", tmp_path)
        assert code in codes, (ending, output)


def test_a_deleted_directory_is_no_obstacle_to_absolute_paths(tmp_path):
    (tmp_path / "gone").mkdir()
    line = f'cd "$OUT/gone"; rmdir "$OUT/gone"; PYTHONPATH={ROOT} {COMMANDS["compare"].replace("results/", f"{ROOT}/results/")}'
    code, output = shell(line, tmp_path)
    assert code == 0, output
