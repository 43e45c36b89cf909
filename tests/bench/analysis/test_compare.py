"""Tests of `python -m bench compare`: numbers from generated rows, and error messages."""

import json
import re
import time

import numpy as np
import pytest

from bench import records
from bench.__main__ import main
from bench.analysis.compare import compare
from bench.analysis.crossovers import overtaking
from bench.analysis.timings import JobKey
from bench.stats.intervals import Interval, Sample
from tests.support.commands import ROOT, command
from tests.support.refusals import assert_about, printed
from tests.support.rows import written

NIELSEN = {("nielsen", "loop"): 1.0, ("nielsen", "matrix"): 0.1}
# An epoch takes 1/b on the GPU and 1/100 on the CPU at every batch size b, so the times are equal at 100.
GRID = {(f"h{w}-b{b}", name): t for w in (30, 100) for b in (1, 10, 1000) for name, t in (("matrix", 0.01), ("gpu", 1 / b))}


@pytest.fixture
def compared(tmp_path, capsys):
    """Return a function that compares files and returns the exit code and the JSON."""

    def run(*arguments):
        code = main(["compare", "--json", *map(str, arguments)])
        return code, json.loads(capsys.readouterr().out)

    return run


def halved(times):
    return {key: seconds / 2 for key, seconds in times.items()}


def test_medians_and_speedups_match_the_rows(tmp_path, compared):
    slow, fast = written(tmp_path / "a.csv", NIELSEN, machine="slow"), written(tmp_path / "b.csv", halved(NIELSEN), machine="fast")
    code, answer = compared(slow, fast)
    assert code == 0
    assert answer["baseline"] == "slow"
    (table,) = answer["tables"]
    cells = {(cell["trainer"], cell["setup"]): cell for cell in table["cells"]}
    assert cells["loop", "slow"]["epoch"]["value"] == pytest.approx(1.0)
    assert 0.93 < cells["loop", "slow"]["epoch"]["low"] < 0.97  # 0.99 to 1.01, and the spread of runs
    assert cells["loop", "slow"]["speedup"] is None
    assert cells["matrix", "fast"]["speedup"]["value"] == pytest.approx(2.0)
    assert cells["matrix", "fast"]["speedup"]["low"] < 2 < cells["matrix", "fast"]["speedup"]["high"]
    assert [(won["setup"], won["trainer"], round(won["ahead"]["value"])) for won in table["winners"]] == [
        ("slow", "matrix", 10),
        ("fast", "matrix", 10),
    ]
    assert compared("--baseline", "fast", slow, fast)[1]["tables"][0]["cells"][0]["speedup"]["value"] == pytest.approx(0.5)


def test_job_key_has_the_job_columns():
    assert JobKey._fields == records.JOB


def test_different_jobs_are_not_compared(tmp_path):
    written(tmp_path / "a.csv", NIELSEN, machine="a")
    written(tmp_path / "b.csv", NIELSEN, machine="b", examples=1000)
    written(tmp_path / "c.csv", NIELSEN, machine="c", dtype="float64")
    answer = compare([tmp_path], baseline=None)
    assert len(answer.timings.jobs) == 3
    assert all(len(answer.timings.of(job)) == 1 for job in answer.timings.jobs)
    assert not answer.comparable
    (note,) = [line for line in answer.text().splitlines() if line.startswith("only on b, not compared")]
    assert "nielsen (1,000 examples, float32)" in note


def test_tied_trainers_are_reported(tmp_path):
    answer = compare([written(tmp_path / "a.csv", {("wide", "loop"): 1.0, ("wide", "matrix"): 1.001})], baseline=None)
    (winner,) = answer.winners.values()
    assert (winner.trainer, winner.level) == ("loop", ("matrix",))
    assert "tied with matrix" in answer.text()


def test_runs_of_a_machine_are_pooled_only_if_they_agree(tmp_path):
    written(tmp_path / "1.csv", NIELSEN, run_id="r1")
    written(tmp_path / "2.csv", {key: seconds * 1.03 for key, seconds in NIELSEN.items()}, run_id="r2")
    written(tmp_path / "3.csv", NIELSEN | {("nielsen", "matrix"): 0.13}, run_id="r3")
    answer = compare([tmp_path], baseline=None)
    assert [setup.label for setup in answer.timings.configurations] == ["box, 2 runs from r1", "box, run r3"]
    cell = answer.cells[answer.timings.jobs[0], "loop", answer.timings.configurations[0]]
    assert cell.epoch.value == pytest.approx(1.015)
    assert cell.epoch.low < 1.0
    assert cell.epoch.high > 1.03, "the interval includes the difference between the runs"
    assert (cell.runs, cell.rounds) == (2, 10)


def test_other_thread_counts_are_not_pooled_and_duplicate_rows_count_once(tmp_path):
    one = written(tmp_path / "1.csv", NIELSEN, run_id="r1")
    written(tmp_path / "2.csv", NIELSEN, run_id="r2", threads=1)
    (tmp_path / "copy.csv").write_bytes(one.read_bytes())
    answer = compare([tmp_path, one], baseline=None)
    assert [setup.label for setup in answer.timings.configurations] == ["box, 2 threads", "box, 1 thread"]
    assert {cell.rounds for cell in answer.cells.values()} == {5}


BEHIND, LEVEL, AHEAD = Interval(0.5, 0.4, 0.6), Interval(1.1, 0.9, 1.3), Interval(2.0, 1.6, 2.5)


@pytest.mark.parametrize(
    ("lead", "crossing"),
    [
        ([BEHIND, AHEAD, AHEAD], (10**0.5, 1, 10)),
        ([BEHIND, BEHIND, AHEAD], (10**1.5, 10, 100)),
        ([BEHIND, LEVEL, AHEAD], (10**0.879, 1, 100)),  # interpolated up to the first point estimate above 1
        ([AHEAD, BEHIND, AHEAD], (10**1.5, 10, 100)),  # ahead, behind, then ahead to the end
        ([BEHIND, AHEAD, LEVEL], (10**0.5, 1, 10)),
        ([AHEAD, AHEAD, AHEAD], None),
        ([LEVEL, LEVEL, AHEAD], None),  # perhaps ahead from the start
        ([BEHIND, LEVEL, LEVEL], None),  # perhaps never ahead
        ([BEHIND, AHEAD, BEHIND], None),
        ([BEHIND, AHEAD, Interval(0.97, 0.9, 1.05)], None),  # perhaps overtaken again
    ],
)
def test_a_crossing_lies_between_sizes_at_which_the_faster_trainer_is_certain(lead, crossing):
    at = overtaking(dict(zip([1, 10, 100], lead, strict=True)))
    assert at == (crossing and pytest.approx(crossing, rel=1e-3))


def test_crossings_contain_the_true_one_and_equal_trainers_have_none():
    """Epochs of a/m + b and c/m + d seconds at mini-batches of m; 1 % noise, and 2.5 % from case to case."""
    rng = np.random.default_rng(0)
    sizes = (1, 10, 100, 1000, 10_000)

    def leads(seconds, others):
        def epochs(typical):
            return Sample([typical * np.exp(0.025 * rng.standard_normal() + 0.01 * rng.standard_normal(8))])

        return {m: epochs(seconds(m)).over(epochs(others(m))) for m in sizes}

    known = []
    for b in np.logspace(-3.5, -0.5, 60):
        at = overtaking(leads(lambda m, b=b: 1 / m + b, lambda m, b=b: 10 / m + b / 20))
        known += [at.low <= 9 / (b - b / 20) <= at.high] if at else []
    assert len(known) > 40
    assert np.mean(known) >= 0.9
    equal = [overtaking(leads(lambda m: 1 / m + 0.01, lambda m: 1 / m + 0.01)) for _ in range(200)]
    assert sum(at is not None for at in equal) <= 0.05 * 200


def test_the_crossing_is_where_the_times_are_equal(tmp_path, compared):
    path = written(tmp_path / "exact.csv", GRID)
    _, answer = compared(path)
    crossings = [crossing for crossing in answer["crossings"] if crossing["axis"] == "batch_size"]
    assert [(c["fixed"], c["behind"], c["ahead"], c["wins"]) for c in crossings] == [
        (30, "matrix", "gpu", True),
        (100, "matrix", "gpu", True),
    ]
    assert crossings[0]["at"] == pytest.approx({"value": 100, "low": 10, "high": 1000})
    assert "gpu overtakes matrix near 100 (10 to 1,000)" in compare([path], baseline=None).text()


def test_a_crossing_at_the_end_of_the_grid_needs_a_certain_lead_there(tmp_path):
    times = GRID | {(f"h{w}-b1000", "gpu"): [0.009, 0.0098, 0.012] for w in (30, 100)}
    assert "overtakes" not in compare([written(tmp_path / "a.csv", times)], baseline=None).text()


def test_software_that_plays_a_gpu_is_named_and_not_taken_for_one(tmp_path):
    software = {"accelerator": "llvmpipe", "accelerator_kind": "software", "accelerator_backend": "Vulkan"}
    written(tmp_path / "a.csv", {("nielsen", "webgpu"): 1.0}, machine="a", **software)
    card = {"device": "gpu", "accelerator": "Apple M2", "accelerator_kind": "integrated", "accelerator_backend": "Metal"}
    written(tmp_path / "b.csv", {("nielsen", "webgpu"): 0.1}, machine="b", **card)
    answer = compare([tmp_path], baseline=None)
    (difference,) = (one for one in answer.differences if one.fact == "device of webgpu")
    assert list(difference.values.values()) == [("llvmpipe, software, Vulkan",), ("Apple M2, Metal",)]
    assert "software is not a GPU" in difference.therefore
    assert answer.text().count("in software") == 1


def test_other_differences_are_listed_with_what_not_to_compare(tmp_path):
    written(tmp_path / "a.csv", NIELSEN, machine="a")
    written(tmp_path / "b.csv", NIELSEN, machine="b", blas_kernels="Haswell", threads=1, commit="def", library="numpy 2.0.0")
    answer = compare([tmp_path], baseline=None)
    assert [difference.fact for difference in answer.differences] == [
        "threads", "blas_kernels", "commit", "library of loop", "library of matrix",
    ]  # fmt: skip
    lines = answer.text().split("Other differences")[1].splitlines()
    (kernels,) = [line for line in lines if line.startswith("blas_kernels")]
    assert "SkylakeX" in kernels
    assert "Haswell" in kernels
    assert "matrix" in kernels
    assert "other kernels" in kernels
    (threads,) = [line for line in lines if line.startswith("threads")]
    assert "--threads" in threads


def test_markdown_escapes_names(tmp_path):
    markdown = compare([written(tmp_path / "a.csv", NIELSEN, machine="a|b<img src=x>*c*")], baseline=None).markdown()
    assert "| trainer | a\\|b\\<img src=x\\>\\*c\\* |" in markdown
    assert all(line.count("|") - line.count("\\|") == 3 for line in markdown.splitlines() if line.startswith("|"))


def test_a_directory_is_searched_for_csvs_of_finished_runs(tmp_path):
    (tmp_path / "deep").mkdir()
    written(tmp_path / "deep" / "a.csv", NIELSEN)
    written(tmp_path / "b.partial.csv", NIELSEN, machine="stopped")
    (tmp_path / "versus.csv").write_text("run_id,machine,job\n1,2,3\n", encoding="utf-8")
    assert [setup.machine for setup in compare([tmp_path], baseline=None).timings.configurations] == ["box"]


def test_machines_without_a_common_job_are_not_comparable(tmp_path):
    a = written(tmp_path / "a.csv", NIELSEN, machine="a")
    b = written(tmp_path / "b.csv", {("wide", "loop"): 1.0}, machine="b")
    output = command("compare", a, b)
    assert output.returncode == 3
    assert re.fullmatch("epochbench: .*job.*\n", output.stderr)
    assert "nielsen: 784-30-10" in output.stdout


def test_a_broken_file_is_an_error_unless_it_may_be_skipped(tmp_path):
    good, bad = written(tmp_path / "good.csv", NIELSEN), tmp_path / "bad.csv"
    bad.write_text(good.read_text(encoding="utf-8").replace("0.99,", "fast,", 1), encoding="utf-8")
    refused = command("compare", tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"epochbench: {bad}, line 2, column seconds: 'fast'")
    assert refused.stderr.count("\n") == 1
    skipped = command("compare", "--skip-broken", tmp_path)
    assert skipped.returncode == 0
    assert skipped.stderr == refused.stderr.replace("epochbench: ", "epochbench: skipped: ")
    assert "matrix    100 ms" in skipped.stdout
    assert command("compare", "--skip-broken", bad).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        (["--baseline", "boxx"], ("'boxx'", "mean box?")),
        (["--json", "--markdown"], ("--json and --markdown: ",)),
        (["--between", "loop"], ("--between", "loop: ", "A,B")),
        (["-o", "{file}"], ("-o {file}: ",)),
        (["{empty}"], ("{empty}: ", "CSV")),
        (["--between", "loop,matrix"], ("--between", "-o DIR")),
        (["--between", "loop,matrix", "--over-time", "-o", "{empty}"], ("--between", "--over-time")),
        (["--baseline", "box", "--over-time"], ("--baseline and --over-time: ",)),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_bad_usage_is_one_line(tmp_path, capsys, arguments, facts):
    (tmp_path / "empty").mkdir()
    file = written(tmp_path / "a.csv", NIELSEN)
    names = {"file": file, "empty": tmp_path / "empty"}
    try:
        code = main(["compare", str(file), *(argument.format(**names) for argument in arguments)])
    except SystemExit as error:
        code = error.code
    assert code == 2
    message = capsys.readouterr().err.splitlines()[-1]
    for fact in facts:
        assert fact.format(**names) in message


def test_a_csv_without_timed_rounds_is_an_error():
    output = command("compare", ROOT / "results" / "amd-epyc-zen5-2-core" / "book.csv")
    assert output.returncode == 2
    assert_about(printed(output.stderr), ROOT / "results" / "amd-epyc-zen5-2-core" / "book.csv", "pytest bench --benchmark-only")


def test_the_map_shows_the_fastest_trainer_and_the_speedups(tmp_path, capsys):
    written(tmp_path / "a.csv", GRID | NIELSEN, machine="a")
    written(tmp_path / "b.csv", halved(GRID) | NIELSEN, machine="b")
    assert main(["compare", str(tmp_path), "-o", str(tmp_path / "charts")]) == 0
    assert {file.name for file in (tmp_path / "charts").iterdir()} == {"map.png", "map.svg", "machines.png", "machines.svg"}
    drawn = (tmp_path / "charts" / "map.svg").read_text(encoding="utf-8")
    for text in (
        "a, float32: ",
        "b, float32: ",
        "best GPU over best CPU",
        ">10.0x<",
        ">0.0100x<",
        ">gpu<",
        ">matrix<",
    ):
        assert text in drawn
    assert main(["compare", str(tmp_path), "-o", str(tmp_path / "charts"), "--between", "gpu,matrix"]) == 0
    assert "matrix over gpu" in (tmp_path / "charts" / "map.svg").read_text(encoding="utf-8")
    assert main(["compare", str(tmp_path), "-o", str(tmp_path), "--between", "gpu,matrx"]) == 2
    assert_about(printed(capsys.readouterr().err), "unknown trainer 'matrx'", "mean matrix?")


def test_100_files_are_compared_in_less_than_5_s(tmp_path):
    grid = {(f"h{w}-b{b}", name): 0.1 for w in (30, 100, 300) for b in (1, 10, 100) for name in ("loop", "matrix", "compiled")}
    for number in range(100):
        written(tmp_path / f"{number}.csv", grid, run_id=f"r{number:03}", machine=f"machine-{number % 4}")
    begin = time.process_time()
    answer = compare([tmp_path], baseline=None)
    assert len(answer.timings.configurations) == 4
    assert time.process_time() - begin < 5, "the target for 1,000 files is 20 s; 100 files usually take 1 s"
