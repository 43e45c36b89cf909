"""Choice of a history's commits, and the pairs of earlier calls."""

import pytest

from bench import records
from bench.history.saved import saved
from bench.history.series import chosen
from bench.paired.pair import Round
from bench.paired.revisions import described
from tests.support.gate import git
from tests.support.histories import repository
from tests.support.refusals import refused

TITLE = "nielsen: 784-30-10, batch 10, learning rate 3, {} examples, float32"


@pytest.fixture
def commits(tmp_path, monkeypatch):
    monkeypatch.chdir(repository(tmp_path / "history", [0] * 8))
    return tmp_path / "history"


def subjects(revisions, **options):
    return [commit.subject for commit in chosen(revisions, "mine:Mine", **{"every": 1, "tags": False, **options})]


def test_a_range_is_every_commit_or_every_third_and_the_last(commits):
    assert subjects("HEAD~7..HEAD~5") == ["main", "change 1", "change 2"]
    assert subjects("HEAD~7", every=3) == ["main", "change 3", "change 6", "change 7"]
    assert subjects(None)[-1] == "change 7"


def test_a_range_may_be_its_tags(commits):
    git(commits, "tag", "v1", "HEAD~4")
    assert subjects("HEAD~7", tags=True) == ["main", "change 3"]
    with refused("HEAD~2", "no commit to measure"):
        subjects("HEAD~2", tags=True)


def row(a, b, *, pair=1, turn=1, a_seconds=0.02, run="r1", machine="here", threads=1):
    sides = (f"mine:Mine@{code} ({code})" for code in (a, b))
    return Round(run, machine, TITLE.format("2,000"), threads, *sides, "", pair, turn, "a", a_seconds, 0.01, 1.0)


def test_pairs_of_earlier_calls_count_on_the_same_machine_job_and_base(commits, tmp_path):
    base, one = described("HEAD~7"), described("HEAD")
    writer = records.Writer(tmp_path / "r1-history-here.csv")
    writer.add([row(one.short, base.short, turn=turn) for turn in (1, 2, 3)])
    writer.add([row(one.short, base.short, pair=2, a_seconds=0.04)])
    writer.add([row(one.short, one.short), row(one.short, base.short, machine="there"), row(one.short, base.short, threads=2)])
    writer.close()
    partial = records.Writer(tmp_path / "r2-history-here.csv")
    partial.add([row(one.short, base.short, run="r2")])
    found = saved(tmp_path, "mine:Mine", base, TITLE.format("50,000"), machine="here", threads=1)
    assert found.examples == 2000
    assert found.log_ratios == {one.short: pytest.approx([0.6931, 1.3863, 0.6931], abs=1e-3)}
    assert saved(tmp_path, "mine:Mine", base, TITLE.replace("nielsen", "wide"), machine="here", threads=1).examples is None


def test_the_last_row_of_a_call_that_died_may_be_incomplete(commits, tmp_path):
    base, one = described("HEAD~7"), described("HEAD")
    writer = records.Writer(tmp_path / "r1-history-here.csv")
    writer.add([row(one.short, base.short), row(one.short, base.short, pair=2)])
    text = writer.partial.read_text(encoding="utf-8")
    writer.partial.write_text(text[:-12], encoding="utf-8")
    found = saved(tmp_path, "mine:Mine", base, TITLE.format("50,000"), machine="here", threads=1)
    assert len(found.log_ratios[one.short]) == 1
