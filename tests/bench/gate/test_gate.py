"""The command `gate` on a clone of this repository with a change: verdicts, messages and exit codes."""

import json
import math
import os
import re
import shutil
import sys
from csv import DictReader
from types import SimpleNamespace

import pytest

from bench.__main__ import main
from bench.gate import changed_trainers
from bench.gate.verdict import Report, Verdict
from bench.paired.pair import Pair
from bench.stats.intervals import Interval
from impls import TRAINERS
from tests.support.commands import ROOT
from tests.support.gate import QUICK, git, own_repository, run_gate
from tests.support.pairs import pairs
from tests.support.refusals import assert_about, printed

BACKPROP = " " * 8 + "gradients = self._backprop(self._x[examples].T, self._y[examples].T)\n"


@pytest.fixture
def repository(tmp_path):
    """Make a repository with this checkout's code on its main branch, and check out a branch of it."""
    clone = tmp_path / "clone"
    for package in ("impls", "bench"):
        # Bytecode saves compilation time in each test. Another process may be writing *.pyc.* files just now.
        shutil.copytree(ROOT / package, clone / package, ignore=shutil.ignore_patterns("*.pyc.*"))
    git(tmp_path, "init", "--quiet", "-b", "main", "clone")
    (clone / ".gitignore").write_text("__pycache__/\nresults/\n")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "-m", "main")
    git(clone, "checkout", "--quiet", "-b", "change")
    return clone


def change(repository, old=BACKPROP, new=BACKPROP * 3, file="matrix.py"):
    """Replace a text in a file of impls. By default, matrix.py then computes the gradient three times."""
    file = repository / "impls" / file
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def state(repository):
    """Return git's state of the working tree, index, stash and worktrees."""
    return [
        git(repository, *words)
        for words in (("status", "--porcelain"), ("diff",), ("diff", "--cached"), ("stash", "list"), ("worktree", "list"))
    ]


def test_the_picture_has_the_pairs_of_both_sets_and_the_margin(tmp_path):
    contenders = SimpleNamespace(a=SimpleNamespace(name="matrix"), b=SimpleNamespace(name="matrix@base"), title="nielsen", threads=1)
    stages = {"first": pairs([1.06] * 8), "afresh": pairs([1.07] * 9)}
    verdict = Verdict("matrix", "slower", "nielsen", ratio=Interval(1.07, 1.06, 1.08), stages=stages, duel=contenders)
    files = Report("base", "head", 0.05, [verdict], tmp_path / "gate.csv").draw()
    drawing = next(file for file in files if file.suffix == ".svg").read_text(encoding="utf-8")
    assert "measured afresh" in drawing
    assert "margin of the gate: 1.05" in drawing


@pytest.mark.live
def test_a_slowdown_fails_and_every_report_contains_it(repository, tmp_path):
    change(repository)
    git(repository, "add", "impls/matrix.py")
    before = state(repository)
    reports = ("--json", "--summary", tmp_path / "summary.md")
    output = run_gate(repository, "--trainers", "matrix", *reports, *QUICK, GITHUB_STEP_SUMMARY=str(tmp_path / "step.md"))
    assert (output.returncode, output.stderr) == (1, "")
    report = json.loads(output.stdout)
    assert report["head"].endswith("with changes")
    (matrix,) = report["verdicts"]
    assert matrix["verdict"] == "slower"
    assert 1.05 < matrix["low"] < matrix["ratio"] < matrix["high"]
    assert matrix["pairs"] >= 16, "eight in each stage"
    for file in ("summary.md", "step.md"):
        assert "| matrix | slower |" in (tmp_path / file).read_text()
    (csv,) = (repository / "results" / "local").glob("*.csv")
    assert csv.with_name(f"{csv.stem}-matrix.png").is_file()
    with csv.open(newline="", encoding="utf-8") as file:
        assert {row["stage"] for row in DictReader(file)} == {"first", "afresh"}
    why = {part["part"]: (part["longer"], part["pairs"]) for part in matrix["why"]}
    assert why["epoch"] == (5, 5)
    assert {"calls", "rest"} < why.keys()
    assert state(repository) == before


def test_a_base_never_imports_from_the_working_tree(tmp_path):
    (tmp_path / "README").write_text("a repository without the trainer\n")
    git(tmp_path, "init", "--quiet", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "main")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "newer.py").write_text("from impls.matrix import Matrix\n\n\nclass Newer(Matrix):\n    pass\n")
    paths = os.pathsep.join([str(ROOT), str(tmp_path / "src")])
    output = run_gate(tmp_path, "--trainers", "newer:Newer", *QUICK, PYTHONPATH=paths, GITHUB_ACTIONS="true")
    assert output.returncode == 0, output.stderr
    assert output.stdout.startswith("NOT JUDGED: newer:Newer (not comparable)\n")
    assert "::warning title=epochbench gate::NOT JUDGED: newer:Newer (not comparable)\n" in output.stdout
    assert re.search(r"^newer:Newer +not comparable", output.stdout, re.MULTILINE)
    assert re.search(r"^newer:Newer@\w+: raised ImportError: ", output.stdout, re.MULTILINE)


def test_without_changed_trainers_there_is_no_verdict(repository):
    (repository / "bench" / "new.py").write_text("")
    output = run_gate(repository)
    assert output.returncode == 0
    assert "no trainer's code differs" in output.stdout


BROKEN = {
    "wrong": ("matrix.py", "w -= step * nw", "w += step * nw", "float64 loop"),
    "wrong oracle": ("loop.py", "w -= step * nw", "w += step * nw", "float64 loop"),
    "wrong shared code": ("network.py", "0.5 * np.tanh(0.5 * z)", "0.5 * np.tanh(0.4 * z)", "float64 loop"),
    "invalid syntax": ("matrix.py", "def _epoch(self", "def _epoch(self, :", "SyntaxError"),
    "failing import": ("matrix.py", "import numpy as np", "from numpy import tyop", "cannot import name 'tyop'"),
    "raises": ("matrix.py", "        for start", "        raise MemoryError('no room')\n        for start", "MemoryError: no room"),
    "skips later": ("matrix.py", "        for start", "        order = order if self.examples <= 205 else order[:-50]\n        for start",
                    "that of matrix@"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_wrong_or_failing_working_tree_is_broken(repository, fault):
    file, old, new, reason = BROKEN[fault]
    change(repository, old, new, file=file)
    trainer = "matrix" if file == "matrix.py" else "loop"
    output = run_gate(repository, "--trainers", trainer, *QUICK)
    assert output.returncode == 1, output.stdout
    assert re.search(rf"^{trainer} +broken", output.stdout, re.MULTILINE)
    assert reason in output.stdout


def test_a_base_that_lacks_the_trainer_is_not_comparable(repository):
    (repository / "impls" / "newer.py").write_text("from impls.matrix import Matrix\n\n\nclass Newer(Matrix):\n    pass\n")
    registry = repository / "impls" / "__init__.py"
    registry.write_text(registry.read_text().replace("TRAINERS = {\n", 'TRAINERS = {\n    "newer": "impls.newer:Newer",\n'))
    output = run_gate(repository, "--strict", *QUICK)
    assert output.returncode == 3, output.stderr
    assert re.search(r"^newer +not comparable", output.stdout, re.MULTILINE)
    assert re.search(r"^newer@\w+: raised InputError: .*unknown", output.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "code", "strict"),
    [
        (["slower", "faster"], 1, 1),
        (["broken", "not reached"], 1, 1),
        (["faster", "not slower", "absent"], 0, 0),
        (["undecided"], 0, 3),
        (["not comparable", "not slower"], 0, 3),
    ],
)
def test_exit_codes(words, code, strict):
    report = Report("base", "head", 0.01, [Verdict(f"trainer{i}", word) for i, word in enumerate(words)], None)
    assert (report.exit_code(strict=False), report.exit_code(strict=True)) == (code, strict)


def test_an_interval_with_unknown_ends_is_a_dash_or_null():
    few = Verdict("matrix", "undecided", ratio=Interval(1.05, -math.inf, math.inf), stages={"first": [Pair((0.1,), (0.1,), "a", 1.0)]})
    report = Report("base", "head", 0.01, [few], None)
    assert re.search(r"^matrix +undecided +1\.050x \(-\) +- +0 of 1 +1", report.text(), re.MULTILINE)
    assert [json.loads(report.json())["verdicts"][0][end] for end in ("ratio", "low", "high")] == [1.05, None, None]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("first", "word", "code"), [("Raises", "broken", 1), ("Newer", "not comparable", 130)])
def test_ctrl_c_prints_the_verdicts_so_far(tmp_path, first, word, code):
    head = """
import os, signal
from impls.matrix import Matrix

class Raises(Matrix):
    def _epoch(self, order):
        raise MemoryError

class Stops(Matrix):
    def _epoch(self, order):
        os.kill(os.getppid(), signal.SIGINT)
"""
    base = re.sub("_epoch", "unused", head)
    mine = own_repository(tmp_path, base)
    mine.write_text(head + "\nclass Newer(Matrix):\n    pass\n\nclass Never(Matrix):\n    pass\n")
    trainers = f"mine:{first},mine:Stops,mine:Never"
    output = run_gate(tmp_path, "--trainers", trainers, "--summary", "summary.md", *QUICK, PYTHONPATH=str(ROOT))
    assert output.returncode == code
    rows = [rf"mine:{first} +{word}", "mine:Stops +not reached", "mine:Never +not reached", "mine:Stops: .*SIGINT"]
    for row in rows:
        assert re.search(f"^{row}", output.stdout, re.MULTILINE)
    assert "| mine:Stops | not reached |" in (tmp_path / "summary.md").read_text()
    assert re.fullmatch("" if code == 1 else r"epochbench: interrupted.*\n", output.stderr)


def test_an_unwritable_summary_does_not_change_the_verdict(repository, tmp_path):
    change(repository, "def _epoch(self", "def _epoch(self, :")
    (tmp_path / "full").symlink_to("/dev/full")
    output = run_gate(repository, "--trainers", "matrix", "--summary", tmp_path / "full", GITHUB_STEP_SUMMARY=str(tmp_path / "step.md"))
    assert output.returncode == 1
    (error,) = output.stderr.splitlines()
    assert "summary" in error
    assert "No space left on device" in error
    assert "| matrix | broken |" in (tmp_path / "step.md").read_text()


def test_running_another_copy_of_the_code_is_rejected(repository):
    output = run_gate(repository / "impls", PYTHONPATH=str(ROOT))
    assert output.returncode == 2
    assert_about(printed(output.stderr), repository, ROOT, f"{sys.executable} -m bench in {repository}")


def test_a_changed_file_selects_the_trainers_that_use_it(repository, monkeypatch):
    monkeypatch.chdir(repository)
    monkeypatch.setattr("impls.__file__", str(repository / "impls" / "__init__.py"))
    assert changed_trainers.changed("main") == []
    change(repository, "from __future__", "# slower\nfrom __future__", file="loop.py")
    assert changed_trainers.changed("main") == ["loop"]
    git(repository, "mv", "impls/aligned.py", "impls/align.py")
    assert {"matrix_tuned", "compiled", "gpu_tuned", "mpi"} <= set(changed_trainers.changed("main")), "they import the renamed file"
    git(repository, "mv", "impls/align.py", "impls/aligned.py")
    change(repository, "impls.peers.torch_eager:TorchCpu", "impls.matrix:Matrix", file="__init__.py")
    monkeypatch.setitem(TRAINERS, "torch_cpu", "impls.matrix:Matrix")
    assert "torch_cpu" in changed_trainers.changed("change~0")
    change(repository, "from __future__", "# slower\nfrom __future__", file="network.py")
    assert changed_trainers.changed("main") == list(TRAINERS)


def test_code_of_the_package_selects_every_trainer(repository, monkeypatch):
    monkeypatch.chdir(repository)
    monkeypatch.setattr("impls.__file__", str(repository / "impls" / "__init__.py"))
    change(repository, "from __future__", "# a comment\nfrom __future__", file="__init__.py")
    assert changed_trainers.changed("main") == []
    change(repository, "import importlib\n", "import importlib\nimport time\n\ntime.sleep(0.1)\n", file="__init__.py")
    assert changed_trainers.changed("main") == list(TRAINERS)


@pytest.mark.parametrize(
    ("arguments", "thing", "fact"),
    [
        (["--self-test", "--workload", "nielsen,wide"], "--self-test", "one workload, not 2"),
        (["--self-test", "--threads", "1,2"], "--self-test", "one number of threads, not 2"),
        (["--self-test", "--comment", "gate.md"], "--comment", "--self-test"),
        (["--self-test", "--strict"], "--strict", "--self-test"),
        (["--self-test", "--summary", "gate.md"], "--summary", "--self-test"),
        (["--self-test", "--trainers", "loop,matrix"], "--self-test", "loop, matrix"),
    ],
)
def test_options_that_have_no_effect_are_rejected(capsys, arguments, thing, fact):
    assert main(["gate", *arguments]) == 2
    assert_about(printed(capsys.readouterr().err), thing, fact)


def test_missing_revisions(repository, tmp_path):
    assert_about(printed(run_gate(repository, "--base", "v9").stderr), "v9", "git fetch origin")
    change(repository)
    git(repository, "commit", "--quiet", "-am", "slow")
    git(repository, "checkout", "--quiet", "main")  # the remote's HEAD
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", "--branch", "change", f"file://{repository}", "shallow")
    base = git(repository, "rev-parse", "main").strip()
    for arguments in (("--base", base), ()):
        output = run_gate(shallow, *arguments)
        assert output.returncode == 2
        assert_about(printed(output.stderr), arguments[1] if arguments else "--base", "git fetch")


def test_a_detached_head_has_a_merge_base(repository):
    git(repository, "checkout", "--quiet", "--detach")
    assert run_gate(repository).returncode == 0


def test_a_copy_without_git_is_rejected(repository):
    shutil.rmtree(repository / ".git")
    output = run_gate(repository)
    assert output.returncode == 2
    assert_about(printed(output.stderr), repository, "git checkout")


def test_a_base_without_impls_is_rejected(repository):
    git(repository, "checkout", "--quiet", "--orphan", "empty")
    git(repository, "rm", "--quiet", "-r", "--cached", ".")
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "empty")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "all")
    output = run_gate(repository, "--base", "HEAD~1", "--trainers", "matrix")
    assert output.returncode == 2
    base = git(repository, "rev-parse", "HEAD~1").strip()
    assert_about(printed(output.stderr), base, "impls/")
