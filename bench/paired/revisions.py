"""Ranges of commits, and what tells them apart."""

from __future__ import annotations

from typing import NamedTuple

from bench.paired.checkout import commit, run_git
from impls import TRAINERS, InputError

_DOCUMENTS = ("md", "rst", "txt", "png", "svg")


class Commit(NamedTuple):
    """A commit: its full hash, its first parent comes before it in a range; date as YYYY-MM-DD; the first line of its message."""

    hash: str
    date: str
    subject: str

    @property
    def short(self) -> str:
        """The first digits of its hash."""
        return self.hash[:12]

    def __str__(self) -> str:
        return f"{self.short} {self.subject}".strip()


def described(revision: str) -> Commit:
    """Return the commit of a revision. Raises InputError if this clone lacks it."""
    return _commits("--no-walk", commit(revision))[0]


def first_parents(good: str, bad: str) -> list[Commit]:
    """Return the commits after `good` up to `bad`, along first parents, oldest first.

    Raises InputError if a revision is unknown, or if `bad` does not come after `good`.
    """
    start, end = commit(good), commit(bad)
    if start == end:
        raise InputError(f"{good}..{bad}", "both are the same commit", "name two commits, the older one first")
    found = _commits("--reverse", "--first-parent", f"{start}..{end}")
    before = run_git("rev-list", "--parents", "--max-count=1", found[0].hash).split()[1:2] if found else []
    if before != [start]:
        remedy = f"{bad} comes before it" if _is_ancestor(end, start) else "see git log --oneline --first-parent " + bad
        raise InputError(good, f"not on the line of first parents of {bad}", remedy)
    return found


def changing(commits: list[Commit], trainer: str) -> list[Commit]:
    """Return those of a range's commits that change the code of a trainer: impls/, or any file for a trainer that is not one of impls/.

    Documents and pictures are no code.
    """
    path = ["--", "impls" if trainer in TRAINERS else ".", *(f":(exclude,top)*.{ending}" for ending in _DOCUMENTS)]
    first, last = commits[0].hash, commits[-1].hash
    changed = {one.hash for one in _commits("--first-parent", f"{first}^..{last}", *path)}
    return [one for one in commits if one.hash in changed]


def merged(merge: Commit) -> tuple[str, str] | None:
    """Return the commit from which a merged branch started, and its last one; None if the commit is not a merge of two."""
    parents = run_git("rev-parse", f"{merge.hash}^@").split()
    if len(parents) != 2:
        return None
    return run_git("merge-base", *parents).strip(), parents[1]


def tagged(commits: list[Commit]) -> list[Commit]:
    """Return those of the commits that have a tag."""
    tags = set(run_git("for-each-ref", "--format=%(objectname) %(*objectname)", "refs/tags").split())
    return [one for one in commits if one.hash in tags]


def _commits(*arguments: str) -> list[Commit]:
    lines = run_git("log", "--format=%H%x00%cs%x00%s", *arguments).splitlines()
    return [Commit(*line.split("\0")) for line in lines]


def _is_ancestor(one: str, other: str) -> bool:
    return one in run_git("rev-list", other).split()
