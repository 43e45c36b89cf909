"""`bisect` and `history` in real repositories."""

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
    """A repository in which commit 4 of 6 is slower by half, and commit 2 does not run."""
    return repository(tmp_path / "history", [0, 0, 0, 0, 0.5, 0.5, 0.5], broken={2})


@pytest.mark.live
def test_bisect_names_the_commit_and_leaves_the_repository_untouched(commits, tmp_path):
    (commits / "mine.py").write_text("changed")
    before = git(commits, "status", "--porcelain"), git(commits, "rev-parse", "HEAD"), git(commits, "stash", "list")
    output = command("bisect", "HEAD~6", "HEAD", *JOB, "--results", tmp_path / "out", "--json", cwd=commits)
    assert output.returncode == 0, output.stderr
    answer = json.loads(output.stdout)
    (culprit,) = answer["culprits"]
    assert culprit["commits"] == [answer["commits"][4]["commit"]]
    assert culprit["low"] < 1.5 < culprit["high"] or culprit["value"] == pytest.approx(1.5, abs=0.1)
    assert answer["complete"]
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".csv", ".png", ".svg"}
    assert before == (git(commits, "status", "--porcelain"), git(commits, "rev-parse", "HEAD"), git(commits, "stash", "list"))
    assert git(commits, "worktree", "list").count("\n") == 1


@pytest.mark.live
def test_bisect_searches_the_branch_of_a_merge_if_asked(tmp_path):
    directory = repository(tmp_path / "history", [0, 0])
    git(directory, "switch", "--quiet", "-c", "branch")
    for number, share in ((11, 0.0), (12, 0.6), (13, 0.6)):
        (directory / "mine.py").write_text(module(number, share))
        git(directory, "commit", "--quiet", "-am", f"branch {number}")
    git(directory, "switch", "--quiet", "main")
    git(directory, "merge", "--quiet", "--no-ff", "-m", "merge", "branch")
    output = command(
        "bisect", "HEAD~1", "HEAD", *JOB, "--merges", "--seconds", "100", "--no-charts", "--results", tmp_path / "out", cwd=directory
    )
    assert output.returncode == 0, output.stderr
    first, second = output.stdout.splitlines()[:2]
    assert "merge made mine:Mine slower" in first
    assert second.startswith("in the merged branch: ")
    assert "branch 12 made mine:Mine slower" in second


@pytest.mark.live
def test_history_goes_on_where_it_was_stopped(commits, tmp_path):
    job = ("HEAD~6", *JOB, "--results", str(tmp_path / "out"), "--no-charts", "--json")
    first = command("history", *job, "--pairs", "2", cwd=commits)
    assert first.returncode == 0, first.stderr
    assert [commit["pairs"] for commit in json.loads(first.stdout)["commits"]] == [0, 2, 0, 2, 2, 2, 2]
    again = command("history", *job, "--pairs", "3", cwd=commits)
    assert again.returncode == 0, again.stderr
    answer = json.loads(again.stdout)["commits"]
    assert [commit["pairs"] for commit in answer] == [0, 3, 0, 3, 3, 3, 3]
    assert [number for number, commit in enumerate(answer) if commit["change"]] == [4]
    assert "no such thing" in answer[2]["skipped"]
    new = sorted((tmp_path / "out").glob("*.csv"))[-1]
    assert len(_pairs(new)) == 5, "a pair of each commit that runs"


@pytest.mark.live
def test_an_interrupted_history_keeps_and_prints_its_pairs(commits, tmp_path):
    arguments = ("history", "HEAD~6", *JOB, "--results", str(tmp_path / "out"), "--no-charts", "--pairs", "50")
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
    assert "change 1" in printed
    assert list((tmp_path / "out").glob("*-history-*.csv"))


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
    ],
)
def test_a_request_that_cannot_be_measured_is_refused(commits, arguments, problem):
    output = command(*arguments, cwd=commits)
    assert output.returncode == 2
    assert problem in output.stderr
    assert "Traceback" not in output.stderr
