"""The studies under results/ run at this commit: on a few trials, from the recordings that are committed."""

import importlib

import pytest

from tests.support.commands import ROOT

STUDIES = sorted(path.relative_to(ROOT) for path in (ROOT / "results").rglob("study.py"))


@pytest.mark.parametrize("path", STUDIES, ids=str)
def test_a_study_makes_the_tables_that_are_committed(path):
    study = importlib.import_module(".".join(path.with_suffix("").parts))
    made, committed = study.report(trials=20), (ROOT / path).with_name("figures.md").read_text(encoding="utf-8")
    labels, expected = ([line.split("|")[1:2] for line in text.splitlines()] for text in (made, committed))
    assert labels == expected
