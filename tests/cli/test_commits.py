"""`bisect` and `history` in real repositories, and what they and `matrix` refuse."""

import csv
import json
import os
import subprocess
import sys

import pytest

from tests.support.commands import ROOT, command
from tests.support.few_digits import FEW_DIGITS
from tests.support.gate import git
from tests.support.histories import module, repository

JOB = ("--trainers", "mine:Mine", "--examples", "500", "--data", str(FEW_DIGITS))


@pytest.fixture
def commits(tmp_path):
    """A repository in which commit 3 of 5 is slower by half, and commit 1 does not run."""
    return repository(tmp_path / "history", [0, 0, 0, 0.5, 0.5, 0.5], broken={1})


@pytest.mark.live
def test_bisect_names_the_merge_and_the_commit_in_its_branch_and_leaves_the_repository_untouched(tmp_path):
    directory = repository(tmp_path / "history", [0])
    git(directory, "switch", "--quiet", "-c", "branch")
    for number, share in ((11, 0.0), (12, 0.6)):
        (directory / "mine.py").write_text(module(number, share))
        git(directory, "commit", "--quiet", "-am", f"branch {number}")
    git(directory, "switch", "--quiet", "main")
    git(directory, "merge", "--quiet", "--no-ff", "-m", "merge", "branch")
    (directory / "mine.py").write_text("changed")
    before = _state(directory)
    output = command(
        "bisect", "HEAD~1", "HEAD", *JOB, "--merges", "--seconds", "100", "--results", tmp_path / "out", "--json", cwd=directory
    )
    assert output.returncode == 0, output.stderr
    answer = json.loads(output.stdout)
    (culprit,) = answer["culprits"]
    (inside,) = culprit["inside"]["culprits"]
    assert [commit["subject"] for commit in answer["commits"] if commit["commit"] in culprit["commits"]] == ["merge"]
    assert [one["subject"] for one in culprit["inside"]["commits"] if one["commit"] in inside["commits"]] == ["branch 12"]
    assert culprit["value"] == pytest.approx(1.6, abs=0.15)
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".csv", ".png", ".svg"}
    assert _state(directory) == before


@pytest.mark.live
def test_history_goes_on_where_it_was_stopped(commits, tmp_path):
    job = ("HEAD~5", *JOB, "--results", str(tmp_path / "out"), "--no-charts", "--json")
    first = command("history", *job, "--pairs", "2", cwd=commits)
    assert first.returncode == 0, first.stderr
    assert [commit["pairs"] for commit in json.loads(first.stdout)["commits"]] == [0, 0, 2, 2, 2, 2]
    again = command("history", *job, "--pairs", "3", cwd=commits)
    assert again.returncode == 0, again.stderr
    answer = json.loads(again.stdout)["commits"]
    assert [commit["pairs"] for commit in answer] == [0, 0, 3, 3, 3, 3]
    assert [number for number, commit in enumerate(answer) if commit["change"]] == [3]
    assert "no such thing" in answer[1]["skipped"]
    new = sorted((tmp_path / "out").glob("*.csv"))[-1]
    assert len(_pairs(new)) == 4, "a pair of each commit that runs"


@pytest.mark.live
def test_an_interrupted_history_keeps_and_prints_its_pairs(commits, tmp_path):
    arguments = ("history", "HEAD~5", *JOB, "--results", str(tmp_path / "out"), "--no-charts", "--pairs", "50")
    with subprocess.Popen(
        [sys.executable, "-m", "bench", *arguments],
        cwd=commits,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        while not any(len(_pairs(path)) > 2 for path in (tmp_path / "out").glob("*.partial.csv")):
            assert process.poll() is None
        process.terminate()
        printed, _ = process.communicate()
    assert process.returncode == 143
    assert "change 2" in printed
    assert list((tmp_path / "out").glob("*-history-*.csv"))


def _state(directory):
    """Return what git shows of a repository: the tree, the index, the head, the stash and the worktrees."""
    words = (("status", "--porcelain"), ("diff", "--cached"), ("rev-parse", "HEAD"), ("stash", "list"), ("worktree", "list"))
    return [git(directory, *each) for each in words]


def _pairs(file):
    """Return the pairs in a CSV, as (commit, number)."""
    with file.open(newline="", encoding="utf-8") as text:
        return {(row["a"], row["pair"]) for row in csv.DictReader(text)}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("bisect", "HEAD", "HEAD", "--trainers", "mine:Mine"), "HEAD..HEAD: both are the same commit"),
        (("bisect", "HEAD~1", "HEAD"), "--trainers: bisect takes one trainer, not 0"),
        (("history", "HEAD~1", "--trainers", "mine:Mine,matrix"), "--trainers: history takes one trainer, not 2"),
        (("history", "HEAD~1", "--trainers", "matrix"), "HEAD~1: no commit to measure changes the code of matrix"),
        (("history", "nothing", "--trainers", "mine:Mine"), "nothing: unknown revision"),
        (("history", "HEAD~1", "--pairs", "0"), "must be a whole number above 0"),
        (("bisect", "--trainers", "mine:Mine"), "bisect: needs two revisions, or --package"),
        (("bisect", "HEAD~1", "HEAD", "--package", "numpy==2.1..2.4", "--trainers", "matrix"), "bisect: needs two revisions, or --package"),
        (("bisect", "--package", "numpy", "--trainers", "matrix"), "numpy: not a range of releases"),
        (("matrix", "--with", "numpy", "--trainers", "matrix"), "must be NAME=VERSION,..."),
        (("matrix", "--with", "numpy=2.1", "--trainers", "matrix"), "--with: names one combination"),
        (("matrix", "--with", "numpy=2.1,2.2"), "--trainers: matrix takes one trainer, not 0"),
    ],
)
def test_a_request_that_cannot_be_measured_is_refused(commits, arguments, problem):
    output = command(*arguments, cwd=commits)
    assert output.returncode == 2
    assert problem in output.stderr
    assert "Traceback" not in output.stderr
