"""The doors under mpiexec, scale and fleet: what they measure, how they end, and what they say before."""

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
from bench.mpi.cost_model import Compute, Link, Model
from bench.mpi.fleet import slow_hosts
from bench.mpi.ranks import share
from bench.options import declare, parse, spelled
from bench.plot.charts import draw
from bench.records import Writer
from bench.system.launcher import without_launcher
from tests.support.commands import JOB, QUICK, ROOT, command
from tests.support.few_digits import FEW_DIGITS
from tests.support.mpi import launcher, mpiexec, needs_mpi
from tests.support.rows import rows, written


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    """The environment in which wrong_ranks.py, copied out of the checkout, is the module strangers."""
    directory = tmp_path_factory.mktemp("strangers")
    shutil.copy(ROOT / "tests" / "support" / "wrong_ranks.py", directory / "strangers.py")
    return {"PYTHONPATH": f"{ROOT}{os.pathsep}{directory}"}


def of(directory):
    (csv,) = directory.glob("*.csv")
    return records.read([csv])


@pytest.fixture(scope="module")
def scaled(tmp_path_factory, strangers):
    """A run of scale over two ranks, with a good trainer and wrong ones: its output and its directory."""
    results = tmp_path_factory.mktemp("scaled")
    names = "strangers:Alone,strangers:Hasty,mpi,strangers:Deaf"
    job = (*JOB, "--examples", "2000", "--trainers", names, "--results", results)
    return mpiexec(2, "-m", "bench", "scale", *job, env=strangers), results


@needs_mpi
def test_scale_times_the_same_and_grown_mini_batches_over_one_rank_and_two(scaled):
    table = of(scaled[1])
    assert set(table["trainer"]) == {"mpi"}, "over two ranks the others are wrong"
    assert table["flops_after"].isna().all(), "what the ranks do at most was measured before"
    counts = table.groupby(["workload", "batch_size", "ranks"])["round"].apply(list).to_dict()
    assert counts == {("nielsen", 10, 1): [1, 2, 3], ("nielsen", 10, 2): [1, 2, 3], ("nielsen-x2", 20, 2): [1, 2, 3]}
    assert (table["max_error"] < 1e-4).all()
    assert table["accuracy"].nunique() <= 2, "how many ranks there are changes nothing but rounding"
    (csv,) = scaled[1].glob("*.csv")
    assert [complaint for complaint in check(csv) if "changed since its commit" not in complaint] == []


@needs_mpi
def test_scale_refuses_a_trainer_whose_ranks_do_not_sum_their_gradients(scaled):
    assert scaled[0].returncode == 1
    assert re.search(r"FAILED nielsen-strangers:Deaf: over 2 ranks it does not compute what the float64 loop computes", scaled[0].stdout)


@needs_mpi
def test_scale_skips_a_trainer_that_was_not_made_for_several_ranks_and_goes_on(scaled):
    assert "skipped nielsen-strangers:Alone over 2 ranks: one device for all of them\n" in scaled[0].stdout
    assert "\nmpi, strong scaling: " in scaled[0].stdout


@pytest.mark.live  # its ranks wait for each other: on a busy machine as long as an epoch takes
@needs_mpi
def test_scale_refuses_a_trainer_that_returns_too_soon_and_keeps_none_of_its_rows(scaled):
    assert re.search(r"FAILED nielsen-strangers:Hasty: over 2 ranks it returns too soon: ", scaled[0].stdout)
    assert "Traceback" not in scaled[0].stderr


@needs_mpi
def test_scale_predicts_up_to_1024_ranks_beside_what_it_measured(scaled):
    table = scaled[0].stdout.split("mpi, strong scaling: ")[1].split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in table[2:13]] == ["1", "2", "4", "8", "16", "32", "64", "128", "256", "512", "1,024"]
    assert all(re.search(r"[+-]\d+%$", line) for line in table[2:4])
    assert re.match(
        r"predicted: a step [\d.]+ [mu]?s and its products at [\d.-]+ GFLOP/s, an Allreduce of 103,424 bytes with MPI: ", table[13]
    )
    assert re.match(r"predicted: from [\d,]+ ranks? on, twice as many shorten the epoch by less than 5%", table[14])
    assert "mpi, weak scaling: " in scaled[0].stdout


@needs_mpi
def test_scale_draws_speedup_and_efficiency_and_plot_draws_them_again(scaled, tmp_path):
    (picture,) = scaled[1].glob("*.png")
    assert picture.name.endswith("-scaling.png")
    (csv,) = scaled[1].glob("*.csv")
    again = draw([csv], tmp_path)
    assert [file.name for file in again] == [picture.name, picture.with_suffix(".svg").name]
    drawn = again[1].read_text(encoding="utf-8")
    assert all(word in drawn for word in ("ideal", "nielsen mpi, strong", "nielsen mpi, weak"))


# mpiexec may end before it has passed on all that a rank wrote just before it aborted; it was seen to on a busy machine.
@pytest.mark.live
@needs_mpi
@pytest.mark.parametrize(("trainer", "end"), [("Raises", "failed: RuntimeError: no such luck"), ("Dies", "was ended by SIGKILL")])
def test_a_rank_that_dies_is_named_ends_the_others_and_what_was_finished_stays(strangers, tmp_path, trainer, end):
    if end.endswith("SIGKILL") and not hasattr(os, "fork"):
        pytest.skip("without fork nobody watches a rank")
    job = ("--workload", "nielsen", "--examples", "400", "--rounds", "1", "--data", FEW_DIGITS, "--results", tmp_path)
    output = mpiexec(2, "-m", "bench", "scale", *job, "--trainers", f"strangers:{trainer}", env=strangers)  # and no time-out
    assert output.returncode != 0
    assert re.search(rf"epochbench: rank 1 on \S+ {end}; what was finished is kept in the \*\.partial\.csv", output.stderr)
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".partial.csv")
    assert set(records.read([left])["ranks"]) == {1}, "two ranks never finished an epoch"


@needs_mpi
@pytest.mark.parametrize("name", ["scale", "fleet"])
def test_without_mpiexec_it_says_how_to_start(name):
    output = command(name)
    assert output.returncode == 2
    assert f"epochbench: {name} runs on several ranks: mpiexec -n 2 python -m bench {name}" in output.stderr


@needs_mpi
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("scale", "--workload", "nielson"), "unknown workload 'nielson': did you mean nielsen?"),
        (("scale", "--trainers", "matrix"), "--trainers matrix: it has no ranks; scale takes mpi and mpi_gpu"),
        (("scale", "--results", "pyproject.toml"), "--results pyproject.toml: cannot write there"),
        (
            ("train", "--workload", "nielsen"),
            "this is one of 2 ranks, and would measure as if it were alone: mpiexec is for scale and fleet",
        ),
    ],
    ids=" ".join,
)
def test_bad_input_on_all_ranks_is_told_and_ends_them(arguments, message):
    output = mpiexec(2, "-m", "bench", *arguments)
    assert output.returncode == 2
    # Not by the lines' beginnings: mpiexec joins the lines that two ranks write at once.
    complaints = [text.splitlines()[0] for text in output.stderr.split("epochbench: ")[1:]]
    assert set(complaints) == {next(complaint for complaint in complaints if message in complaint)}
    assert len(complaints) == (2 if arguments[0] == "train" else 1)


@needs_mpi
def test_a_process_that_a_rank_starts_is_no_rank():
    child = "import sys; from impls.mpi import world; sys.stdout.write(f'size {world().size}\\n')"
    start = f"subprocess.run([sys.executable, '-c', {child!r}], env=without_launcher(os.environ))"
    program = f"import os, subprocess, sys\nfrom bench.system.launcher import without_launcher\n{start}"
    assert mpiexec(2, "-c", program).stdout.count("size 1\n") == 2


def test_a_process_that_a_rank_starts_keeps_what_the_user_set():
    assert without_launcher({"PMI_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "PMIX_RANK": "1", "OMPI_MCA_btl": "tcp", "PATH": "p"}) == {
        "OMPI_MCA_btl": "tcp",
        "PATH": "p",
    }


# Fleet


def a_uts_namespace():
    return sys.platform == "linux" and subprocess.run(["unshare", "-ru", "hostname", "probe"], capture_output=True).returncode == 0


@pytest.mark.live
@needs_mpi
@pytest.mark.skipif(not a_uts_namespace(), reason="this system lets nobody give a process a host name of its own")
def test_fleet_runs_the_main_job_on_every_host_and_names_the_slow_one(strangers, tmp_path):
    many = ("--examples", "100", "--rounds", "400")  # so that a host's CSV is as long as that of the usual job, and is not sent at once
    job = ["-m", "bench", "fleet", *QUICK, *many, "--trainers", "strangers:Limps", "--results", str(tmp_path), "--machine", "Box"]
    line = ["unshare", "-r", launcher()]  # the right to name a host; in one namespace, or the ranks may not read from each other
    for host in ("sound", "lame"):
        named = ["unshare", "-u", "sh", "-c", f'hostname {host}; exec "$@"', "sh", sys.executable, *job]
        line += [":"] * (host == "lame") + ["-n", "1", *named]
    output = mpiexec(line=line, env=strangers)
    table = of(tmp_path)
    assert set(table["machine"]) == {"box-1", "box-2"}
    assert set(table["ranks"]) == {1}
    assert table.groupby("machine")["round"].apply(list).tolist() == [list(range(1, 401))] * 2
    assert table["dirty"].all(), "no commit holds the trainer"
    assert "2 hosts, all together: sound, lame" in output.stdout
    assert re.search(r"^sound +box-1 +\d+ +[\d.]+ [mu]?s", output.stdout, re.MULTILINE)
    text = next(tmp_path.glob("*.csv")).read_text()
    assert not re.search("sound|lame", text), "a host's name is nobody's business"
    assert text.count("schema,run_id") == 1
    assert re.search(
        r"^slow: lame \(box-2\): nielsen strangers:Limps takes [\d.]+x \([\d.-]+\) as long as on the others", output.stdout, re.MULTILINE
    )
    assert output.returncode == 1


@pytest.mark.parametrize(("times", "named"), [((0.1, 0.1, 0.13), ["c"]), ((0.1, 0.1, 0.103), []), ((0.13, 0.1), ["a"]), ((0.1,), [])])
def test_a_host_is_slow_if_it_parts_from_the_others(tmp_path, times, named):
    files = [
        written(tmp_path / f"{name}.csv", {("nielsen", "matrix"): seconds, ("nielsen", "loop"): 1.0}, machine=name, run_id=name)
        for name, seconds in zip("abc", times, strict=False)
    ]
    slow = slow_hosts(timings(records.read(files)))
    assert [machine for machine, _, _ in slow] == named
    for _, cases, (trainer, _, ratio) in slow:
        assert (cases, trainer) == (1, "matrix")
        assert ratio.value == pytest.approx(1.3, rel=0.02)


def test_the_options_of_a_job_are_spelled_as_they_were_typed(tmp_path):
    import argparse

    parser = argparse.ArgumentParser()
    declare(parser.add_argument)
    typed = ["--trainers", "loop,matrix", "--workload", "nielsen", "--workload", "wide", "--examples", "400", "--no-charts"]
    given = parser.parse_args([*typed, "--results", "here"])
    again = spelled(given, without=("--results",))
    assert parse(parser.parse_args(again), results=tmp_path) == parse(parser.parse_args(typed), results=tmp_path)
    assert "here" not in again


# What several ranks are to those who read the CSV


@pytest.fixture
def both(tmp_path):
    """A run over one rank and two, and one at another commit."""
    writer = Writer(tmp_path / "both.csv")
    for commit, factor in (("abc", 1.0), ("def", 0.5)):
        for size, seconds in ((1, 1.0), (2, 0.6)):
            columns = {"ranks": size, "commit": commit, "run_id": commit, "started_at": f"2026-01-0{factor * 2:.0f}T00:00:00+00:00"}
            writer.add(rows({("nielsen", "mpi"): seconds * factor}, **columns))
    return writer.close()


def test_one_trainer_over_one_rank_and_two_are_two_configurations_everywhere(both, tmp_path):
    assert not [complaint for complaint in check(both) if "rounds" in complaint]
    courses = history([both]).panels()
    assert [("2 ranks" in title, len(course)) for title, course in courses] == [(False, 1), (True, 1)]
    answer = compare([both], baseline=None)
    assert {setup.ranks for setup in answer.timings.configurations} == {1, 2}
    assert [file.stem for file in draw([both], tmp_path)] == ["both-scaling", "both-scaling~2"] * 2, "a chart a run"


# The model


def test_an_allreduce_is_thakurs():
    link = Link(alpha=1.0, beta=1e-6)
    assert link.allreduce(1, 8) == 0
    assert link.allreduce(4, 8) == pytest.approx(2 * (1 + 8e-6))  # recursive doubling
    assert link.allreduce(4, 1_000_000) == pytest.approx(2 * 2 * 1 + 2 * 3 / 4 * 1)  # reduce-scatter and allgather
    assert link.allreduce(5, 8) == pytest.approx(3 * (1 + 8e-6))


def test_the_model_is_found_again_in_what_it_would_measure():
    link, compute = Link(5e-6, 2e-9), Compute(2e-5, 3e-7)
    times = [(ranks, size, link.allreduce(ranks, size)) for ranks in (2, 4) for size in (8, 1024, 100_000)]
    link = Link.fitted(times)
    assert (link.alpha, link.beta) == pytest.approx((5e-6, 2e-9), rel=1e-9)
    steps = Compute.fitted([(share, compute.seconds(share)) for share in (1, 5, 10)])
    assert (steps.fixed, steps.example) == pytest.approx((2e-5, 3e-7), rel=1e-9)
    falling = Compute.fitted([(1, 2.0), (10, 1.0)])
    assert min(falling.fixed, falling.example) == 0, "nothing costs less than nothing"


def test_an_epoch_is_its_steps_and_more_ranks_help_until_messages_eat_what_they_save():
    model = Model(Compute(1.0, 0.5), Link(0.25, 0.0), gradient=100_000, examples=23)
    # two steps of 10 and one of 3
    assert model.epoch(1, 10) == pytest.approx(2 * (1 + 5) + (1 + 1.5))
    assert model.epoch(4, 10) == pytest.approx(2 * (1 + 1.5) + (1 + 0.5) + 3 * 4 * 0.25)
    assert model.epoch(4, 10) < 0.95 * model.epoch(2, 10) < 0.95**2 * model.epoch(1, 10)
    assert model.epoch(8, 10) > 0.95 * model.epoch(4, 10)
    assert model.enough(10) == 4


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
def test_the_ranks_of_a_host_share_its_processors(available, shares):
    assert [share(available, rank) for rank in range(len(available))] == shares
