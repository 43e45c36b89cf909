"""Options that pytest and the command line share."""

import argparse
from pathlib import Path

import pytest

from bench.measure.run import prepare
from bench.options import declare, parse
from impls import TRAINERS
from tests.support.refusals import refused


def given(*arguments):
    parser = argparse.ArgumentParser(exit_on_error=False)
    declare(parser.add_argument)
    return parse(parser.parse_args(arguments), results=Path("here"))


def test_defaults_are_the_main_job():
    options = given()
    assert options.trainers == tuple(TRAINERS)
    assert [workload.name for workload in options.workloads] == ["nielsen", "wide"]
    assert {(workload.dtype, workload.examples, workload.seed) for workload in options.workloads} == {("float32", None, 0)}
    assert (options.rounds, options.threads, options.data, options.require, options.machine) == (None, None, None, (), None)
    assert (options.results, options.charts) == (Path("here"), True)


def test_lists_are_split_and_deduplicated():
    options = given("--trainers", "loop, matrix,loop", "--workload", "wide,large", "--workload", "wide", "--require", "loop")
    assert options.trainers == ("loop", "matrix")
    assert [workload.name for workload in options.workloads] == ["wide", "large"]
    assert options.require == ("loop",)


def test_every_option_is_parsed():
    options = given(
        *("--batch-size", "1,10", "--hidden", "30", "--dtype", "float64", "--examples", "500", "--rounds", "7", "--threads", "1"),
        *("--seed", "3", "--data", "d", "--results", "r", "--machine", "m", "--no-charts", "--warm-up", "2.5"),
    )
    assert [(w.name, w.dtype, w.examples, w.seed) for w in options.workloads] == [
        ("h30-b1", "float64", 500, 3),
        ("h30-b10", "float64", 500, 3),
    ]
    assert (options.rounds, options.warm_up, options.threads, options.machine, options.charts) == (7, 2.5, 1, "m", False)
    assert (options.data, options.results) == (Path("d"), Path("r"))


@pytest.mark.parametrize("option", ["--batch-size", "--hidden", "--examples", "--rounds", "--threads"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "1e3"])
def test_an_invalid_number_raises_input_error_with_the_option(option, value):
    with refused(f"{option} {value}", "whole number, 1 or more"):
        given(f"{option}={value}")


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "soon", ""])
def test_an_invalid_warm_up_raises_input_error(value):
    with refused(f"--warm-up {value}", "seconds, 0 or more"):
        given(f"--warm-up={value}")


@pytest.mark.parametrize(
    ("arguments", "thing", "fact"),
    [
        (["--trainers", "matrx"], "unknown trainer 'matrx'", "matrix"),
        (["--trainers", "no.such:Thing"], "trainer 'no.such:Thing'", "ModuleNotFoundError"),
        (["--trainers", "json:JSONDecoder"], "trainer 'json:JSONDecoder'", "impls.Trainer"),
        (["--workload", "nielson"], "unknown workload 'nielson'", "nielsen"),
        (["--workload", "wide", "--batch-size", "10"], "--workload", "--batch-size"),
        (["--examples", "60000"], "--examples 60000", "50,000"),
        (["--examples", "50", "--workload", "wide"], "workload wide", "--batch-size from 1 to 50"),
        (["--data", "nowhere"], "nowhere", "directory"),
        (["--results", "pyproject.toml"], "--results pyproject.toml", "directory"),
        (["--threads", "100000"], "--threads 100000", "processor"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_invalid_job_raises_input_error_before_anything_is_written(arguments, thing, fact, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    with refused(thing, fact):
        prepare(given("--results", "results", *arguments), kind="timing")
    assert not (tmp_path / "results").exists()


def test_other_invalid_values_raise_input_error():
    with refused("--seed -1", "whole number, 0 or more"):
        given("--seed=-1")
    with refused("--batch-size ", "whole number"):
        given("--batch-size", "1,,2")
    with refused("--require gpu", "loop"):
        given("--trainers", "loop", "--require", "gpu")
    with pytest.raises(argparse.ArgumentError, match="--dtype"):
        given("--dtype", "float16")
