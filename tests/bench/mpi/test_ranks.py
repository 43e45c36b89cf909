"""Tests of the commands scale and fleet under mpiexec: their measurements, errors and exit codes."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from bench import records
from bench.analysis.compare import compare
from bench.analysis.history import history
from bench.analysis.timings import timings
from bench.analysis.validate import check
from bench.machine import affinity
from bench.mpi.fleet import slow_hosts
from bench.mpi.ranks import apart, share
from bench.options import declare, parse, spelled
from bench.plot.charts import draw
from bench.records import Writer
from bench.system.launcher import without_launcher
from bench.system.own_command import own_command
from tests.support.commands import JOB, QUICK, ROOT, command
from tests.support.few_digits import FEW_DIGITS
from tests.support.mpi import launcher, mpiexec, needs_mpi
from tests.support.refusals import assert_about, printed
from tests.support.rows import rows, written


@pytest.fixture(scope="module")
def third_party(tmp_path_factory):
    """Copy wrong_ranks.py out of the checkout. Return an environment in which the copy is the module third_party."""
    directory = tmp_path_factory.mktemp("third_party")
    shutil.copy(ROOT / "tests" / "support" / "wrong_ranks.py", directory / "third_party.py")
    return {"PYTHONPATH": f"{ROOT}{os.pathsep}{directory}"}


def of(directory):
    (csv,) = directory.glob("*.csv")
    return records.read([csv])


@pytest.fixture(scope="module")
def scaled(tmp_path_factory, third_party):
    """Run scale over two ranks, with a correct trainer and wrong ones. Return its output and its directory."""
    results = tmp_path_factory.mktemp("scaled")
    names = "third_party:Alone,third_party:Hasty,mpi,third_party:Deaf"
    job = (*JOB, "--examples", "2000", "--trainers", names, "--results", results, "--oversubscribe")  # one processor is enough
    return mpiexec(2, "-m", "bench", "scale", *job, env=third_party), results


@needs_mpi
def test_scale_times_strong_and_weak_scaling_over_one_and_two_ranks(scaled):
    table = of(scaled[1])
    assert set(table["trainer"]) == {"mpi"}, "the other trainers fail over two ranks"
    assert table["flops_after"].isna().all(), "scale measures the peaks only before the epochs"
    counts = table.groupby(["workload", "batch_size", "ranks"])["round"].apply(list).to_dict()
    assert counts == {("nielsen", 10, 1): [1, 2, 3], ("nielsen", 10, 2): [1, 2, 3], ("nielsen-x2", 20, 2): [1, 2, 3]}
    assert (table["max_error"] < 1e-4).all()
    assert table["accuracy"].nunique() <= 2, "the number of ranks changes only the rounding"
    (csv,) = scaled[1].glob("*.csv")
    assert [problem for problem in check(csv) if not problem.thing.endswith("column dirty")] == []


@needs_mpi
def test_scale_fails_a_trainer_whose_ranks_do_not_sum_their_gradients(scaled):
    assert scaled[0].returncode == 1
    assert re.search(r"FAILED nielsen-third_party:Deaf: over 2 ranks: .*\b\d\.\de[-+]\d\d .*\bfloat32\b", scaled[0].stdout)


@needs_mpi
def test_scale_skips_a_trainer_that_does_not_support_several_ranks(scaled):
    assert "skipped nielsen-third_party:Alone over 2 ranks: one device for all ranks\n" in scaled[0].stdout
    assert "\nmpi, strong scaling: " in scaled[0].stdout


@pytest.mark.live  # on a busy machine, the ranks wait for each other, and an epoch that does nothing takes as long as a real one
@needs_mpi
def test_scale_fails_a_trainer_that_returns_too_soon_and_drops_its_rows(scaled):
    (reason,) = re.findall(r"^FAILED nielsen-third_party:Hasty: over 2 ranks: (.*)", scaled[0].stdout, re.MULTILINE)
    assert len(re.findall(r"\b[\d.]+ [mun]?s\b", reason)) == 2, "its epoch, and the time that the machine needs"
    assert "Traceback" not in scaled[0].stderr


@needs_mpi
def test_scale_prints_measurements_and_predictions_up_to_1024_ranks(scaled):
    table = scaled[0].stdout.split("mpi, strong scaling: ")[1].split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in table[2:13]] == ["1", "2", "4", "8", "16", "32", "64", "128", "256", "512", "1,024"]
    assert all(re.search(r"[+-]\d+%$", line) for line in table[2:4])
    assert re.match(r"model: [\d.]+ [mu]?s .* [\d.-]+ GFLOP/s.* 103,424 bytes with MPI: ", table[13])
    assert re.match(r"prediction: from [\d,]+ ranks? on, .* less than 5%", table[14])
    assert "mpi, weak scaling: " in scaled[0].stdout


@needs_mpi
def test_scale_draws_the_same_scaling_chart_as_plot(scaled, tmp_path):
    (picture,) = scaled[1].glob("*.png")
    assert picture.name.endswith("-scaling.png")
    (csv,) = scaled[1].glob("*.csv")
    again = draw([csv], tmp_path)
    assert [file.name for file in again] == [picture.name, picture.with_suffix(".svg").name]
    drawn = again[1].read_text(encoding="utf-8")
    assert all(word in drawn for word in ("nielsen: 784-30-10", "efficiency", "strong", ">mpi<"))


# On a busy machine, mpiexec can exit before it has forwarded the last output of a rank that aborts.
@pytest.mark.live
@needs_mpi
@pytest.mark.parametrize(("trainer", "end"), [("Raises", "failed: RuntimeError: no such luck"), ("Dies", "was ended by SIGKILL")])
def test_a_dead_rank_is_named_ends_the_others_and_finished_cases_stay(third_party, tmp_path, trainer, end):
    if end.endswith("SIGKILL") and not hasattr(os, "fork"):
        pytest.skip("without os.fork a rank has no supervisor")
    job = ("--workload", "nielsen", "--examples", "400", "--rounds", "1", "--data", FEW_DIGITS, "--results", tmp_path, "--oversubscribe")
    output = mpiexec(2, "-m", "bench", "scale", *job, "--trainers", f"third_party:{trainer}", env=third_party)
    assert output.returncode != 0
    assert re.search(rf"epochbench: rank 1 on \S+ {end}; .*\*\.partial\.csv", output.stderr)
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".partial.csv")
    assert set(records.read([left])["ranks"]) == {1}, "no epoch over two ranks finished"


@needs_mpi
@pytest.mark.parametrize("name", ["scale", "fleet"])
def test_without_mpiexec_the_error_contains_the_command_to_run(name):
    output = command(name)
    assert output.returncode == 2
    assert re.search(rf"^epochbench: {name}: .*mpiexec -n 2 {re.escape(own_command())} {name}\b", output.stderr, re.MULTILINE)


@needs_mpi
@pytest.mark.parametrize(
    ("arguments", "thing", "fact"),
    [
        (("scale", "--workload", "nielson"), "unknown workload 'nielson'", "nielsen"),
        (("scale", "--trainers", "matrix"), "--trainers matrix", "mpi or mpi_gpu"),
        (("scale", "--results", "pyproject.toml"), "--results pyproject.toml", "directory"),
        (("train", "--workload", "nielsen"), "mpiexec", "scale and fleet"),
    ],
    ids=["scale --workload nielson", "scale --trainers matrix", "scale --results pyproject.toml", "train --workload nielsen"],
)
def test_an_input_error_on_all_ranks_is_printed_and_ends_them(arguments, thing, fact):
    output = mpiexec(2, "-m", "bench", *arguments)
    assert output.returncode == 2
    # Split by the prefix, not by lines: mpiexec can join lines that two ranks write at once.
    errors = [text.splitlines()[0] for text in output.stderr.split("epochbench: ")[1:]]
    assert len(set(errors)) == 1
    assert_about(printed(f"epochbench: {errors[0]}"), thing, fact)
    assert len(errors) == (2 if arguments[0] == "train" else 1)


@needs_mpi
def test_a_child_process_of_a_rank_is_not_a_rank():
    child = "import sys; from impls.mpi import world; sys.stdout.write(f'size {world().size}\\n')"
    start = f"subprocess.run([sys.executable, '-c', {child!r}], env=without_launcher(os.environ))"
    program = f"import os, subprocess, sys\nfrom bench.system.launcher import without_launcher\n{start}"
    assert mpiexec(2, "-c", program).stdout.count("size 1\n") == 2


def test_without_launcher_keeps_the_variables_of_the_user():
    assert without_launcher({"PMI_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "PMIX_RANK": "1", "OMPI_MCA_btl": "tcp", "PATH": "p"}) == {
        "OMPI_MCA_btl": "tcp",
        "PATH": "p",
    }


# Fleet


def can_make_a_uts_namespace():
    return sys.platform == "linux" and subprocess.run(["unshare", "-ru", "hostname", "probe"], capture_output=True).returncode == 0


@pytest.mark.live
@needs_mpi
@pytest.mark.skipif(not can_make_a_uts_namespace(), reason="this system does not allow new UTS namespaces")
def test_fleet_benchmarks_every_host_and_names_the_slow_one(third_party, tmp_path):
    many = ("--examples", "100", "--rounds", "400")  # a CSV as long as a usual one, so that MPI does not send it as an eager message
    job = ["-m", "bench", "fleet", *QUICK, *many, "--trainers", "third_party:Limps", "--results", str(tmp_path), "--machine", "Box"]
    line = ["unshare", "-r", launcher()]  # root may set host names; all ranks share one user namespace, so they can read from each other
    for host in ("sound", "lame"):
        named = ["unshare", "-u", "sh", "-c", f'hostname {host}; exec "$@"', "sh", sys.executable, *job]
        line += [":"] * (host == "lame") + ["-n", "1", *named]
    output = mpiexec(line=line, env=third_party)
    table = of(tmp_path)
    assert set(table["machine"]) == {"box-1", "box-2"}
    assert set(table["ranks"]) == {1}
    assert table.groupby("machine")["round"].apply(list).tolist() == [list(range(1, 401))] * 2
    assert table["dirty"].all(), "no commit contains the trainer"
    assert re.search(r"^2 hosts, .*: sound, lame$", output.stdout, re.MULTILINE)
    assert re.search(r"^sound +box-1 +\d+ +[\d.]+ [mu]?s", output.stdout, re.MULTILINE)
    text = next(tmp_path.glob("*.csv")).read_text()
    assert not re.search("sound|lame", text), "host names are private"
    assert text.count("schema,run_id") == 1
    assert re.search(r"^slow: lame \(box-2\): nielsen third_party:Limps .*[\d.]+x \([\d.-]+\)", output.stdout, re.MULTILINE)
    assert output.returncode == 1


@pytest.mark.parametrize(("times", "named"), [((0.1, 0.1, 0.13), ["c"]), ((0.1, 0.1, 0.103), []), ((0.13, 0.1), ["a"]), ((0.1,), [])])
def test_a_host_is_slow_if_it_is_slower_than_the_others(tmp_path, times, named):
    files = [
        written(tmp_path / f"{name}.csv", {("nielsen", "matrix"): seconds, ("nielsen", "loop"): 1.0}, machine=name, run_id=name)
        for name, seconds in zip("abc", times, strict=False)
    ]
    slow = slow_hosts(timings(records.read(files)))
    assert [machine for machine, _, _ in slow] == named
    for _, cases, (trainer, _, ratio) in slow:
        assert (cases, trainer) == (1, "matrix")
        assert ratio.value == pytest.approx(1.3, rel=0.02)


def test_spelled_options_parse_to_the_same_options(tmp_path):
    import argparse

    parser = argparse.ArgumentParser()
    declare(parser.add_argument)
    typed = ["--trainers", "loop,matrix", "--workload", "nielsen", "--workload", "wide", "--examples", "400", "--no-charts"]
    given = parser.parse_args([*typed, "--results", "here"])
    again = spelled(given, without=("--results",))
    assert parse(parser.parse_args(again), results=tmp_path) == parse(parser.parse_args(typed), results=tmp_path)
    assert "here" not in again


# Several ranks in the analysis of a CSV


@pytest.fixture
def both(tmp_path):
    """Write a CSV with a run over one and two ranks, and the same run at another commit."""
    writer = Writer(tmp_path / "both.csv")
    for commit, factor in (("abc", 1.0), ("def", 0.5)):
        for size, seconds in ((1, 1.0), (2, 0.6)):
            columns = {"ranks": size, "commit": commit, "run_id": commit, "started_at": f"2026-01-0{factor * 2:.0f}T00:00:00+00:00"}
            writer.add(rows({("nielsen", "mpi"): seconds * factor}, **columns))
    return writer.close()


def test_each_number_of_ranks_is_a_separate_configuration(both, tmp_path):
    assert not [problem for problem in check(both) if "column round" in problem.thing]
    courses = history([both]).panels()
    assert [("2 ranks" in title, len(course)) for title, course in courses] == [(False, 1), (True, 1)]
    answer = compare([both], baseline=None)
    assert {setup.ranks for setup in answer.timings.configurations} == {1, 2}
    assert [file.stem for file in draw([both], tmp_path)] == ["both-scaling", "both-scaling~2"] * 2, "one chart per run"


@pytest.mark.parametrize(
    ("available", "shares"),
    [
        ([[0, 1, 2, 3]] * 2, [[0, 1], [2, 3]]),
        ([[0, 1, 2, 3]] * 3, [[0], [1], [2]]),
        ([[0, 1], [2, 3]], [[0, 1], [2, 3]]),  # bound by the launcher
        ([[3], [1]], [[3], [1]]),
        ([[0, 1]] * 4, [[0], [1], [0], [1]]),  # more ranks than processors
    ],
)
def test_each_rank_gets_its_share_of_the_processors(available, shares):
    assert [share(available, rank) for rank in range(len(available))] == shares


@pytest.mark.parametrize(
    ("used", "count"),
    [
        ([[("a", 0)], [("a", 1)]], 2),
        ([[("a", 0)], [("a", 1)], [("a", 0)], [("a", 1)]], 2),
        ([[("a", 0)], [("b", 0)]], 2),  # on two hosts
        ([[("a", 0)], [("a", 0)]], 1),
        ([[("a", 0), ("a", 1)], [("a", 1), ("a", 2)], [("a", 3)]], 1),
    ],
)
def test_ranks_fit_until_two_share_a_processor(used, count):
    assert apart(used) == count


@needs_mpi
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or affinity.available() < 2, reason="needs to be pinned to two processors")
def test_scale_measures_more_ranks_than_processors_only_if_asked(tmp_path):
    before = affinity.processors()
    for number, measured in ((2, 2), (1, 0)):
        os.sched_setaffinity(0, before[:number])  # for the processes that this thread starts
        try:
            output = mpiexec(3, "-m", "bench", "scale", *JOB, "--results", tmp_path / str(number))
        finally:
            os.sched_setaffinity(0, before)
        if measured:
            assert output.returncode == 0, output.stderr
            assert of(tmp_path / str(number))["ranks"].max() == measured
            assert re.search(r"\b2 .*--oversubscribe", output.stdout)
        else:
            assert output.returncode == 2
            assert_about(printed(output.stderr), "mpiexec", "--oversubscribe")
