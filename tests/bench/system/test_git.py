"""Which code is run: what counts as other than the commit, and what does not."""

import subprocess
from pathlib import Path

import pytest

from bench.system import git
from impls import InputError


@pytest.fixture
def checkout(tmp_path):
    """A checkout at its first commit, of files that hold their own names."""
    for name in ("trainer.py", "bench/table.html", "results/main.csv", "results/study.py", "README.md", ".gitignore"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(".venv/\n" if name == ".gitignore" else name, encoding="utf-8")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def wrote(path: Path):
    path.parent.mkdir(exist_ok=True)
    path.write_text("something else", encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("trainer.py", True),
        ("README.md", True),
        ("mine.py", True),
        ("impls/kernel.cu", True),
        ("report.html", False),
        (".venv/library.py", False),
        ("results/main.csv", False),
        ("results/study.py", False),
        ("results/mine.py", False),
    ],
)
def test_code_that_the_commit_does_not_hold_is_a_change(checkout, name, changed):
    commit, before = git.state(checkout)
    assert (len(commit), before) == (12, False)
    wrote(checkout / name)
    assert git.state(checkout) == (commit, changed)


def test_a_trainer_is_of_the_commit_if_git_tracks_its_file(checkout, tmp_path_factory):
    wrote(checkout / ".venv" / "library.py")
    assert git.holds(checkout, checkout / "trainer.py")
    assert not git.holds(checkout, checkout / ".venv" / "library.py")
    assert not git.holds(checkout, Path(__file__))


def test_without_a_commit_there_is_none(tmp_path):
    with pytest.raises(InputError, match="not a git repository"):
        git.state(tmp_path)
