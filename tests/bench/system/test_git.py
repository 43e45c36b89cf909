"""Tests of the state of a checkout: which files count as a change of the code."""

import subprocess
from pathlib import Path

import pytest

from bench.system import git
from impls import InputError
from tests.support.refusals import refused


@pytest.fixture
def checkout(tmp_path):
    """Return a checkout at its first commit. Every file contains its own name."""
    for name in ("trainer.py", "bench/table.html", "results/main.csv", "results/study.py", "README.md", ".gitignore"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(".venv/\n" if name == ".gitignore" else name, encoding="utf-8")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def write(path: Path):
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
def test_state_reports_code_that_differs_from_the_commit(checkout, name, changed):
    commit, before = git.state(checkout)
    assert (len(commit), before) == (12, False)
    write(checkout / name)
    assert git.state(checkout) == (commit, changed)


def test_holds_is_true_for_files_that_git_tracks(checkout, tmp_path_factory):
    write(checkout / ".venv" / "library.py")
    assert git.holds(checkout, checkout / "trainer.py")
    assert not git.holds(checkout, checkout / ".venv" / "library.py")
    assert not git.holds(checkout, Path(__file__))


def test_state_raises_outside_a_checkout(tmp_path):
    with pytest.raises(InputError) as caught:
        git.state(tmp_path)
    assert caught.value.thing.startswith("git status ")
    assert "not a git repository" in caught.value.problem  # git's words


def test_the_message_of_a_failed_command_is_one_line(checkout):
    with refused("git log nothing", "ambiguous argument 'nothing'", "'git <command>"):
        git.run(checkout, "log", "nothing")


def test_subjects_of_the_commits_that_the_checkout_knows(checkout, monkeypatch):
    monkeypatch.setattr(git, "ROOT", checkout)
    known, _ = git.state(checkout)
    subprocess.run(["git", "branch", "unknown"], cwd=checkout, check=True)
    assert git.own_subjects([known, known[:7], "0123456789ab", "unknown", "--output=here"]) == {known: "first", known[:7]: "first"}
    assert git.own_subjects(["0123456789ab"]) == git.own_subjects([]) == {}


def test_outside_a_checkout_no_commit_has_a_subject(tmp_path, monkeypatch):
    monkeypatch.setattr(git, "ROOT", tmp_path)
    assert git.own_subjects(["0123456789ab"]) == {}
