"""Tests of `python -m bench compare`: numbers from generated rows, and error messages."""

import json
import re
import time

import pytest

from bench import records
from bench.__main__ import main
from bench.analysis.compare import compare
from bench.analysis.timings import JobKey
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
    written(tmp_path / "c.csv", NIELSEN, machine="c", dtype="float64")
    answer = compare([tmp_path], baseline=None)
    assert len(answer.timings.jobs) == 2
    assert all(len(answer.timings.of(job)) == 1 for job in answer.timings.jobs)
    assert not answer.comparable
    (note,) = [line for line in answer.text().splitlines() if line.startswith("only on c, not compared")]
    assert "nielsen (float64)" in note


def test_different_numbers_of_examples_are_compared_by_examples_per_second(tmp_path, compared):
    a = written(tmp_path / "a.csv", NIELSEN, machine="a")
    b = written(tmp_path / "b.csv", {case: seconds / 50 / 2 for case, seconds in NIELSEN.items()}, machine="b", examples=1000)
    code, answer = compared(a, b)
    assert code == 0
    of_b = [cell["speedup"]["value"] for table in answer["tables"] for cell in table["cells"] if cell["setup"] == "b"]
    assert of_b == pytest.approx([2.0, 2.0])
    assert "compared by examples per second" in answer["answer"]["sentences"][1]
    assert "50,000 or 1,000 examples" in compare([a, b], baseline=None).text()


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
    of_fact = {difference.fact: difference for difference in answer.differences}
    assert list(of_fact["blas_kernels"].values.values()) == [("SkylakeX",), ("Haswell",)]
    assert "other kernels" in of_fact["blas_kernels"].therefore
    assert "--threads" in of_fact["threads"].therefore
    lines = [line.split() for line in answer.text().split("Other differences")[1].splitlines()]
    assert ["SkylakeX", "a"] in lines
    assert ["Haswell", "b"] in lines


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
    for text in ("a, float32", "b, float32", "best GPU over best CPU", ">10.0x<", ">0.0100x<", ">gpu<", ">matrix<"):
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
