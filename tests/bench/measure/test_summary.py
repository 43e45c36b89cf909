"""Summary of a run: what a disturbed case looks like, and how wide the tables are."""

from dataclasses import replace

import pytest

from bench import records
from bench.machine import clock
from bench.machine.identity import describe
from bench.measure import summary
from bench.measure.case import Case
from bench.measure.inputs import Inputs
from bench.measure.outcomes import Outcomes
from bench.measure.recorder import Recorder, RunColumns
from bench.measure.run import Run
from bench.options import parse
from bench.workload import named
from tests.support.rows import rows

TRAINERS = ["loop", "matrix_tuned", "torch_compile"]


@pytest.fixture
def printed(tmp_path, mnist):
    """Return a function that returns the summary of a run, with other programs busy during the cases of some trainers."""

    def run(busy, **columns):
        cases = [Case(named("nielsen"), trainer) for trainer in TRAINERS]
        recorder = Recorder(
            RunColumns("id", "", "timing", "mnist", 2, describe("box"), {}), records.Writer(tmp_path / "run.csv"), clock.measure()
        )
        recorder.rows += [
            replace(row, load=0.5 if row.trainer in busy else 0.0)
            for row in rows({("nielsen", trainer): 1.0 for trainer in TRAINERS}, **columns)
        ]
        options = parse({"bench_trainers": ",".join(TRAINERS)}, results=tmp_path)
        return summary.text(Run(options, cases, Inputs(lambda: mnist), Outcomes(), recorder), colours=False)

    return run


def test_a_disturbed_case_is_marked_in_its_row(printed):
    lines = printed({"matrix_tuned"}).splitlines()
    marked = {lines[i - 1].split()[0] for i, line in enumerate(lines) if line == "(disturbed)"}
    assert marked == {"matrix_tuned"}


def test_threads_that_wait_for_each_other_are_suspected(printed):
    assert "--threads 1" in printed({"matrix_tuned"})
    assert "--threads 1" not in printed({"matrix_tuned"}, threads=1)


def test_the_tables_fit_100_columns(printed):
    tables = printed(set()).split("95 % intervals")[0]
    assert "energy" in tables
    assert max(map(len, tables.splitlines())) <= 100
