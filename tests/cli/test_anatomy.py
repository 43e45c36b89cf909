"""Where an epoch's time goes, measured as a user does: `pytest bench --anatomy` and `python -m bench anatomy`."""

import json
import re

import pytest

from bench import records
from bench.anatomy.operations import FORWARD
from impls import unavailable
from tests.support.commands import QUICK, bench, command

FAILS_WITHOUT_WIDTH = '''
from impls.matrix import Matrix


class Narrow(Matrix):
    """Fails on the tiny network."""

    def _epoch(self, order):
        if max(self.layers) == 2:
            raise ValueError("needs more units")
        super()._epoch(order)
'''

FAILS_IF_OBSERVED = '''
from impls.matrix_tuned import MatrixTuned


class Private(MatrixTuned):
    """Fails if its operations are timed."""

    def _update_mini_batch(self, xp, x, y, layers):
        assert type(self) is Private, "a subclass"
        super()._update_mini_batch(xp, x, y, layers)
'''


def test_the_command_measures_calls_and_operations_and_draws_them(tmp_path):
    output = command("anatomy", *QUICK, "--trainers", "loop,matrix_tuned", "--json", "--results", tmp_path)
    assert output.returncode == 0, output.stderr
    answer = json.loads(output.stdout)
    assert [epoch["trainer"] for epoch in answer["epochs"]] == ["loop", "matrix_tuned"]
    assert {one["trainer"] for one in answer["operations"]} == {"matrix_tuned"}
    assert FORWARD in {one["kind"] for one in answer["operations"]}
    (csv,) = tmp_path.glob("*.csv")
    rows = records.read([csv])
    assert (rows["call_seconds"] > 0).all()
    assert (rows["call_seconds_low"] <= rows["call_seconds"]).all()
    assert (rows["call_seconds_high"] >= rows["call_seconds"]).all()
    assert set(rows["call_fit"]) == {"batch 2 5 20 40"}
    assert {path.suffix for path in tmp_path.glob("*-anatomy.*")} == {".png", ".svg"}
    assert "nielsen loop" in output.stderr, "the run's own lines are not part of the answer"


def test_a_trainer_that_fails_on_the_tiny_network_keeps_its_rows(tmp_path):
    (tmp_path / "narrow.py").write_text(FAILS_WITHOUT_WIDTH, encoding="utf-8")
    output = command("anatomy", *QUICK, "--trainers", "matrix,narrow:Narrow", "--no-charts", "--results", "out", cwd=tmp_path)
    assert output.returncode == 0, output.stderr
    assert re.search(r"^warning: nielsen-narrow:Narrow: .*\(ValueError: needs more units\)", output.stderr, re.MULTILINE)
    (csv,) = (tmp_path / "out").glob("*.csv")
    rows = records.read([csv]).groupby("trainer")["call_seconds"].median()
    assert rows["matrix"] > 0
    assert rows.isna()["narrow:Narrow"]
    assert "calls not measured: nielsen narrow:Narrow" in output.stdout


def test_a_trainer_whose_operations_cannot_be_timed_keeps_its_breakdown(tmp_path):
    (tmp_path / "private.py").write_text(FAILS_IF_OBSERVED, encoding="utf-8")
    output = command("anatomy", *QUICK, "--trainers", "private:Private", "--no-charts", "--results", "out", cwd=tmp_path)
    assert output.returncode == 0, output.stderr
    assert re.search(r"^warning: private:Private: .*\(AssertionError: a subclass", output.stderr, re.MULTILINE)
    assert re.search(r"^private:Private +[\d.]+ (us|ms|s) ", output.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "code"),
    [(("--trainers", "matrx"), 2), (("--trainers", "tests.support.wrong_trainers:Backwards"), 1), (("--trainers", "gpu"), 3)],
)
def test_the_exit_code_is_that_of_the_commands(tmp_path, options, code):
    if options[1] == "gpu" and not unavailable("gpu"):
        pytest.skip("a GPU can be measured here")
    output = command("anatomy", *QUICK, *options, "--no-charts", "--results", tmp_path)
    assert (output.returncode, output.stdout) == (code, "")


def test_a_run_measures_no_calls_unless_asked(tmp_path):
    output = bench(*QUICK, "--trainers", "matrix", "--results", tmp_path)
    assert output.returncode == 0, output.stdout
    (csv,) = tmp_path.glob("*.csv")
    assert records.read([csv])["call_seconds"].isna().all()
    assert not list(tmp_path.glob("*-anatomy.*"))
