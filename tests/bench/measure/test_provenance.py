"""The commit in the rows of each trainer."""

import sys

import pytest

from bench.measure.provenance import Code, provenance
from bench.system import git
from tests.support.gate import git as run_git
from tests.support.gate import own_repository

MINE = "from impls.matrix import Matrix\n\n\nclass Mine(Matrix):\n    pass\n"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Return a repository with two trainers, of which one is ignored, as a library in ./.venv is."""
    for name in ("theirs_of_test_provenance", "ignored_of_test_provenance"):
        (tmp_path / f"{name}.py").write_text(MINE)
        monkeypatch.delitem(sys.modules, name, raising=False)  # another test's
    (tmp_path / ".gitignore").write_text("ignored_*\n__pycache__/\n")
    own_repository(tmp_path, MINE)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_trainer_in_another_repository_has_its_commit(repository):
    trainers = dict.fromkeys(["matrix", "theirs_of_test_provenance:Mine", "ignored_of_test_provenance:Mine"])
    code, warnings = provenance(trainers | {"gpu": "no device"})
    there = run_git(repository, "rev-parse", "--short=12", "HEAD").strip()
    assert code["theirs_of_test_provenance:Mine"] == Code(there, False)
    assert code["ignored_of_test_provenance:Mine"] == Code("", True)
    assert code["gpu"] == Code("", None)
    assert code["matrix"].commit == git.own_state()[0]
    assert warnings == []
    (repository / "theirs_of_test_provenance.py").write_text(MINE + "\n")
    assert provenance(trainers)[0]["theirs_of_test_provenance:Mine"] == Code(there, True)


def test_a_repository_that_git_cannot_read_is_a_warning(repository):
    (repository / ".git" / "HEAD").write_text("broken\n")
    code, (warning,) = provenance({"theirs_of_test_provenance:Mine": None})
    assert code == {"theirs_of_test_provenance:Mine": Code("", None)}
    assert warning.startswith("cannot record the commit in the rows: git status")
    assert "\n" not in warning


def test_variables_of_a_git_hook_do_not_name_another_repository(repository, monkeypatch):
    before = git.own_state()
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(repository))
    assert git.own_state() == before
