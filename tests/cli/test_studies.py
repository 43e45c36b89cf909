"""The studies under results/: they run at this commit, on a few trials of the committed recordings."""

import importlib

import pytest

from tests.support.commands import ROOT

STUDIES = sorted(path.relative_to(ROOT) for path in (ROOT / "results").rglob("study.py"))


@pytest.mark.parametrize("path", STUDIES, ids=str)
def test_a_study_reproduces_the_rows_of_its_committed_tables(path):
    study = importlib.import_module(".".join(path.with_suffix("").parts))
    made, committed = study.report(**study.FEW), (ROOT / path).with_name("figures.md").read_text(encoding="utf-8")
    labels, expected = ([line.split("|")[1:2] for line in text.splitlines()] for text in (made, committed))
    if "workloads" in study.FEW:  # rows of the other workloads are missing
        expected = [label for label in expected if label in labels]
    assert labels == expected
