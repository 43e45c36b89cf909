"""Ranges of commits."""

import pytest

from bench.paired.revisions import changing, described, first_parents, merged, tagged
from tests.support.gate import git
from tests.support.histories import repository
from tests.support.refusals import refused


@pytest.fixture
def history(tmp_path, monkeypatch):
    """A repository of five commits; the third changes README.md only, the fifth merges a branch of two."""
    monkeypatch.chdir(repository(tmp_path, [0, 0]))
    (tmp_path / "README.md").write_text("text")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "a page")
    git(tmp_path, "switch", "--quiet", "-c", "branch")
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text("")
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "--quiet", "-m", f"add {name}")
    git(tmp_path, "switch", "--quiet", "main")
    (tmp_path / "three.py").write_text("")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "add three")
    git(tmp_path, "merge", "--quiet", "--no-ff", "-m", "merge", "branch")
    return tmp_path


def subjects(commits):
    return [commit.subject for commit in commits]


def test_a_range_follows_first_parents_and_its_documents_are_no_code(history):
    commits = first_parents("HEAD~4", "HEAD")
    assert subjects(commits) == ["change 1", "a page", "add three", "merge"]
    assert subjects(changing(commits, "mine:Mine")) == ["change 1", "add three", "merge"]
    assert described("HEAD~4").subject == "main"


def test_the_branch_of_a_merge_has_its_start_and_end(history):
    commits = first_parents("HEAD~4", "HEAD")
    start, end = merged(commits[-1])
    assert subjects([described(start), *first_parents(start, end)]) == ["a page", "add one", "add two"]
    assert merged(commits[0]) is None


def test_tags_choose_commits_whether_annotated_or_not(history):
    git(history, "tag", "v1", "HEAD~1")
    git(history, "tag", "-a", "-m", "two", "v2", "HEAD")
    assert subjects(tagged(first_parents("HEAD~4", "HEAD"))) == ["add three", "merge"]


@pytest.mark.parametrize(
    ("good", "bad", "thing", "fact"),
    [
        ("HEAD", "HEAD", "HEAD..HEAD", "same commit"),
        ("HEAD", "HEAD~2", "HEAD", "HEAD~2 comes before it"),
        ("branch", "HEAD", "branch", "not on the line of first parents"),
        ("nothing", "HEAD", "nothing", "unknown revision"),
        ("HEAD", "other", "HEAD", "not on the line of first parents"),
    ],
)
def test_a_range_that_is_none_is_refused(history, good, bad, thing, fact):
    git(history, "switch", "--quiet", "--orphan", "other")
    git(history, "commit", "--quiet", "--allow-empty", "-m", "of another history")
    git(history, "switch", "--quiet", "main")
    with refused(thing, fact):
        first_parents(good, bad)
