"""Tests of revisions in a shallow clone: the command in the error fetches them."""

import re
import shlex
import subprocess

import pytest

from bench.paired import checkout
from impls import InputError
from tests.support.gate import git, own_repository
from tests.support.refusals import refused


@pytest.fixture
def shallow(tmp_path, monkeypatch):
    """Return the revisions of a repository with two branches; the current directory is a shallow clone of one of them."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "--quiet", "-b", "main")
    for number in range(3):
        git(origin, "commit", "--quiet", "--allow-empty", "-m", str(number))
    first, _, last = reversed(git(origin, "log", "--format=%H").split())
    git(origin, "branch", "release/1.0")
    git(origin, "tag", "-a", "-m", "a release", "v1.0")
    git(origin, "checkout", "--quiet", "-b", "topic")
    git(origin, "commit", "--quiet", "--allow-empty", "-m", "topic")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")  # as GitHub does
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch", "topic", origin.as_uri(), "clone")
    monkeypatch.chdir(tmp_path / "clone")
    return {
        "main": last,
        "origin/main": last,
        "release/1.0": last,
        "origin/release/1.0": last,
        "v1.0": last,
        "HEAD~1": last,
        first[:10]: first,
        first: first,
    }


@pytest.mark.parametrize("number", range(8))
def test_the_remedy_in_a_shallow_clone_works_when_typed(shallow, number):
    revision, expected = list(shallow.items())[number]
    with pytest.raises(InputError) as error:
        checkout.commit(revision)
    remedy = re.fullmatch(rf"{re.escape(revision)}: unknown revision; this clone is shallow, so run (git fetch .*)", str(error.value))
    assert remedy
    subprocess.run(shlex.split(remedy[1]), check=True, capture_output=True)
    assert checkout.commit(revision) == expected


def test_a_trainer_of_the_suite_is_not_taken_for_the_one_at_a_commit_without_it(tmp_path, monkeypatch):
    (tmp_path / "impls").mkdir()
    (tmp_path / "impls" / "other.py").write_text("")
    own_repository(tmp_path, "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "copy").mkdir()
    with refused("HEAD", "impls/", "module:Class"):
        checkout.lay_out(tmp_path / "copy", "HEAD", ours=True)
