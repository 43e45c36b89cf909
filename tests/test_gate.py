"""The gate as a maintainer meets it: a clone of this repository, a change in it, a verdict and an exit code."""

import json
import os
import re
import shutil
import subprocess

import pytest

from bench import gate
from tests.doors import ROOT, command

FORWARD = " " * 8 + "yield from self._feed_forward(x, layers)\n"
QUICK = ("--examples", "1000", "--seconds", "20")


def git(repository, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *who, *arguments], cwd=repository, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path):
    """A repository with a main branch that holds this checkout's code, and a branch off it that is checked out."""
    place = tmp_path / "clone"
    for room in ("impls", "bench"):
        shutil.copytree(ROOT / room, place / room, ignore=shutil.ignore_patterns("__pycache__"))
    git(tmp_path, "init", "--quiet", "-b", "main", "clone")
    (place / ".gitignore").write_text("__pycache__/\nresults/\n")
    git(place, "add", ".")
    git(place, "commit", "--quiet", "-m", "main")
    git(place, "checkout", "--quiet", "-b", "change")
    return place


def change(repository, old=FORWARD, new=FORWARD * 3, file="matrix.py"):
    """Change a file of impls; by default matrix.py, which then feeds forward three times."""
    file = repository / "impls" / file
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def state(repository):
    """All that git knows of the user's work."""
    return [
        git(repository, *words)
        for words in (("status", "--porcelain"), ("diff",), ("diff", "--cached"), ("stash", "list"), ("worktree", "list"))
    ]


def run_gate(repository, *arguments, **environment):
    env = {name: value for name, value in os.environ.items() if name != "GITHUB_STEP_SUMMARY"} | environment
    return command("gate", *arguments, cwd=repository, env=env)


def test_a_slowdown_fails_and_is_told_everywhere(repository, tmp_path):
    change(repository)
    git(repository, "add", "impls/matrix.py")
    before = state(repository)
    output = run_gate(repository, "--json", "--summary", tmp_path / "summary.md", *QUICK, GITHUB_STEP_SUMMARY=str(tmp_path / "step.md"))
    assert (output.returncode, output.stderr) == (1, "")
    report = json.loads(output.stdout)
    assert report["head"].endswith("with changes")
    verdicts = {verdict["trainer"]: verdict for verdict in report["verdicts"]}
    assert set(verdicts) == {"matrix", "gpu", "gpu_graph", "gpu_fused", "mpi", "mpi_gpu"}, "those whose code differs"
    matrix = verdicts["matrix"]
    assert matrix["verdict"] == "slower"
    assert 1.05 < matrix["low"] < matrix["ratio"] < matrix["high"]
    assert matrix["pairs"] >= 16, "eight, and eight afresh"
    for file in ("summary.md", "step.md"):
        assert "| matrix | **slower** |" in (tmp_path / file).read_text()
    (csv,) = (repository / "results" / "local").glob("*.csv")
    assert csv.with_name(f"{csv.stem}-matrix.png").is_file()
    stages = {line.split(",")[-7] for line in csv.read_text().splitlines()[1:]}
    assert stages == {"first", "afresh"}
    assert state(repository) == before


def test_a_speedup_passes(repository):
    change(repository)
    git(repository, "commit", "--quiet", "-am", "slow")
    git(repository, "branch", "--force", "main")
    change(repository, FORWARD * 3, FORWARD)
    output = run_gate(repository, "--trainers", "matrix", *QUICK)
    assert output.returncode == 0, output.stderr
    assert re.search(r"^matrix +faster", output.stdout, re.MULTILINE)


def test_a_trainer_of_ones_own_in_a_repository_of_ones_own(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("from impls.matrix import Matrix\n\n\nclass Mine(Matrix):\n    pass\n")
    git(tmp_path, "init", "--quiet", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "main")
    mine.write_text(
        mine.read_text().replace(
            "pass",
            "def _feed_forward(self, *arguments):\n        for _ in range(3):\n            yield from super()._feed_forward(*arguments)",
        )
    )
    output = run_gate(tmp_path, "--trainers", "mine:Mine", *QUICK, PYTHONPATH=str(ROOT))
    assert output.returncode == 1, output.stderr
    assert re.search(r"^mine:Mine +slower", output.stdout, re.MULTILINE)


def test_a_base_never_borrows_a_module_from_the_working_tree(tmp_path):
    (tmp_path / "README").write_text("a repository without the trainer\n")
    git(tmp_path, "init", "--quiet", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "main")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "newer.py").write_text("from impls.matrix import Matrix\n\n\nclass Newer(Matrix):\n    pass\n")
    paths = os.pathsep.join([str(ROOT), str(tmp_path / "src")])  # as if it were installed
    output = run_gate(tmp_path, "--trainers", "newer:Newer", *QUICK, PYTHONPATH=paths)
    assert output.returncode == 0, output.stderr
    assert re.search(r"^newer:Newer +not comparable", output.stdout, re.MULTILINE)
    assert "not from the revision under test" in output.stdout


def test_nothing_changed_is_nothing_to_judge(repository):
    (repository / "bench" / "new.py").write_text("")
    output = run_gate(repository)
    assert output.returncode == 0
    assert "no trainer's code differs" in output.stdout


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "self.xp.subtract, (self._parameters,",
            "self.xp.add, (self._parameters,",
            "does not compute what the float64 loop",
        ),
        ("def _epoch(self", "def _epoch(self, :", "SyntaxError"),
        ("        order = self.xp.asarray(order)\n", "        raise MemoryError('no room')\n", "MemoryError: no room"),
    ],
)
def test_a_working_tree_that_does_not_work_is_broken(repository, old, new, reason):
    change(repository, old, new)
    output = run_gate(repository, *QUICK)
    assert output.returncode == 1
    assert re.search(r"^matrix +broken", output.stdout, re.MULTILINE)
    assert reason in output.stdout


def test_a_base_that_lacks_the_trainer_is_not_comparable(repository):
    (repository / "impls" / "newer.py").write_text("from impls.matrix import Matrix\n\n\nclass Newer(Matrix):\n    pass\n")
    registry = repository / "impls" / "__init__.py"
    registry.write_text(registry.read_text().replace("TRAINERS = {\n", 'TRAINERS = {\n    "newer": "impls.newer:Newer",\n'))
    output = run_gate(repository, *QUICK)
    assert output.returncode == 0, output.stderr
    assert re.search(r"^newer +not comparable", output.stdout, re.MULTILINE)
    assert "unknown trainer 'newer'" in output.stdout
    assert run_gate(repository, "--strict", *QUICK).returncode == 3


def test_a_change_in_what_all_share_concerns_all(repository, monkeypatch):
    monkeypatch.chdir(repository)
    monkeypatch.setattr("impls.__file__", str(repository / "impls" / "__init__.py"))
    assert gate.changed("main") == []
    change(repository, "from __future__", "# slower\nfrom __future__", file="loop.py")
    assert gate.changed("main") == ["loop"]
    change(repository, "from __future__", "# slower\nfrom __future__", file="network.py")
    assert gate.changed("main") == list(gate.TRAINERS)


def test_revisions_that_are_not_here(repository, tmp_path):
    assert "unknown revision v9: git fetch origin" in run_gate(repository, "--base", "v9").stderr
    change(repository)
    git(repository, "commit", "--quiet", "-am", "slow")
    git(repository, "checkout", "--quiet", "main")  # what a remote's HEAD is
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", "--branch", "change", f"file://{repository}", "shallow")
    base = git(repository, "rev-parse", "main").strip()
    for arguments in (("--base", base), ()):
        output = run_gate(shallow, *arguments)
        assert output.returncode == 2
        assert len(output.stderr.splitlines()) == 1
        assert "git fetch" in output.stderr


def test_a_detached_head_has_a_merge_base_too(repository):
    git(repository, "checkout", "--quiet", "--detach")
    assert run_gate(repository).returncode == 0


def test_a_copy_without_git_says_so(repository):
    shutil.rmtree(repository / ".git")
    output = run_gate(repository)
    assert output.returncode == 2
    assert "is no git checkout" in output.stderr


def test_a_base_without_the_code_says_so(repository):
    git(repository, "checkout", "--quiet", "--orphan", "empty")
    git(repository, "rm", "--quiet", "-r", "--cached", ".")
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "empty")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "all")
    output = run_gate(repository, "--base", "HEAD~1", "--trainers", "matrix")
    assert output.returncode == 2
    assert "has no impls/ to run" in output.stderr
