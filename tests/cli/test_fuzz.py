"""A short run of tests/support/fuzz/, regression tests for its findings, and linear running time."""

import gzip
import os
import time
import tracemalloc

import numpy as np
import pytest

from bench import records
from bench.__main__ import main
from bench.analysis.compare import compare
from impls import read_idx
from tests.support import fuzz
from tests.support.refusals import assert_about, printed, refused
from tests.support.rows import rows, written

SHORT = {"idx": 200, "dataset": 80, "csv": 100, "options": 100, "tell": 5, "report": 1, "charts": 1}
NIELSEN = {("nielsen", "loop"): 1.0, ("nielsen", "matrix"): 0.1}


@pytest.mark.parametrize("name", SHORT)
def test_hostile_input_is_accepted_or_raises_input_error(name):
    tally = fuzz.run(fuzz.TARGETS[name], inputs=SHORT[name])
    assert tally.inputs == SHORT[name]
    assert tally.accepted, "a fuzz target without accepted inputs tests only the first check"


# --- findings ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "facts"),
    [
        ({"seconds": 1e-308}, ["'1e-308'", "1e-30 ", "1e+30"]),
        ({"bytes": 1e308}, ["'1e+308'", "1e-30 ", "1e+30"]),
        ({"seed": 2**63}, ["'9223372036854775808'", "2^63"]),
        ({"machine": "m" * 1001}, ["m'...", "1,000 characters"]),
        ({"cpu": "a\u202eb"}, ["'a\\u202eb'", "single line"]),
        ({"cpu": "a\u2028b"}, ["'a\\u2028b'", "single line"]),
        ({"cpu": "a\ufffe"}, ["'a\\ufffe'", "single line"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_implausible_value_raises_input_error(tmp_path, columns, facts):
    changed = {name: value for name, value in columns.items() if name != "seconds"}
    path = written(tmp_path / "a.csv", {("nielsen", "loop"): [columns.get("seconds", 1.0)]}, **changed)
    (column,) = columns
    with refused(f"{path}, line 2, column {column}", *facts):
        records.read([path])


def test_a_large_integer_round_trips_without_rounding(tmp_path):
    seed = 2**53 + 1  # a float64 cannot represent it
    assert records.read([written(tmp_path / "a.csv", NIELSEN, seed=seed)])["seed"].unique().tolist() == [seed]


@pytest.mark.filterwarnings("ignore:constrained_layout not applied")  # a title of 400 characters
@pytest.mark.parametrize(
    "columns",
    [
        {"cpu": "$\\frac$", "machine": "$x_$"},
        {"bytes": 0.0, "peak_flops": 0.0, "peak_bytes": 0.0, "flops": 0},
        {"workload": "h" + "9" * 30 + "-b1", "layers": "9" * 400 + "-10"},
        {"workload": "h0-b0"},
    ],
    ids=["formula", "zero work", "huge numbers", "empty grid"],
)
def test_readable_rows_are_compared_and_drawn(tmp_path, capsys, columns):
    path = written(tmp_path / "a.csv", {("nielsen", "matrix"): [0.1, 0.2]}, **columns)
    assert main(["plot", str(path), "-o", str(tmp_path / "charts")]) == 0
    assert main(["compare", str(path)]) == 0
    assert main(["check", str(path)]) in (0, 1)
    drawn = (tmp_path / "charts" / "a-epoch-time.svg").read_text(encoding="utf-8")
    assert columns.get("cpu", "Some CPU") in drawn


def test_an_option_value_too_large_for_the_csv_is_exit_code_2(tmp_path, capsys):
    assert main(["train", "--seed", str(2**63), "--results", str(tmp_path)]) == 2
    assert_about(printed(capsys.readouterr().err), "--seed 9223372036854775808", "2^63")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system does not have named pipes")
def test_a_named_pipe_among_the_files_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    os.mkfifo(tmp_path / "idx")
    (tmp_path / "directory.csv").mkdir()
    good = written(tmp_path / "good.csv", NIELSEN)
    assert records.files([tmp_path]) == [good]
    with refused(tmp_path / "idx"):
        read_idx(tmp_path / "idx")


# --- gzip bombs ----------------------------------------------------------------------------------------------------------------------


def bomb(path, size, *, promised):
    """Write a gzipped IDX file of `size` zeros, 1 MiB at a time, whose header claims `promised` of them."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(bytes([0, 0, 8, 1]) + promised.to_bytes(4, "big"))
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))
    return path


@pytest.mark.parametrize(
    ("size", "promised", "most", "facts"),
    [
        (200 << 20, 100, 2 << 20, ["oversized", "100 bytes"]),
        (200 << 20, 200 << 20, 1 << 20, ["209715200"]),
        (1 << 20, 1 << 25, 3 << 20, ["truncated", "1,048,576"]),
    ],
    ids=["header claims less", "header is right", "header claims more"],
)
def test_a_gzip_bomb_raises_input_error_before_it_is_unpacked(tmp_path, size, promised, most, facts):
    path = bomb(tmp_path / "bomb", size, promised=promised)
    tracemalloc.start()
    try:
        with refused(path, *facts):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


# --- time ----------------------------------------------------------------------------------------------------------------------------


def packed(path, size):
    content = np.random.default_rng(0).integers(0, 9, size, np.uint8).tobytes()
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 1]) + size.to_bytes(4, "big") + content, 1))


def members(path, size):
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 1, 5])) + size * gzip.compress(b""))


def epochs(path, size):
    written(path, {("nielsen", "loop"): [1.0] * size})


def disagreeing_runs(path, size):
    times = [rows({("nielsen", "loop"): 1.1**i, ("wide", "loop"): 1.0}, run_id=f"r{i:05}") for i in range(size)]
    writer = records.Writer(path)
    writer.add(row for run in times for row in run)
    writer.close()


def trainers_of_a_grid(path, size):
    written(path, {(f"h30-b{b}", f"t{i}"): 1.0 + (i if b == 1 else size - i) for b in (1, 10) for i in range(size)})


def jobs(path, size):
    written(path, {(f"h{10 + i}-b10", name): 1.0 for i in range(size) for name in ("loop", "matrix")})


def compare_one_file(path):
    answer = compare([path], baseline=None)
    assert answer.text()
    assert answer.json()


@pytest.mark.live
@pytest.mark.parametrize(
    ("make", "use", "size"),
    [
        (packed, read_idx, 1 << 21),
        (members, read_idx, 4000),
        (epochs, lambda path: records.read([path]), 1000),
        (disagreeing_runs, compare_one_file, 40),
        (trainers_of_a_grid, compare_one_file, 40),
        (jobs, compare_one_file, 25),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_running_time_is_linear_in_the_input(tmp_path, make, use, size):
    # CPU time, interleaved, minimum of three: other processes hardly affect it. The ratio is 2 if linear, 4 if quadratic.
    least = {size: float("inf"), 2 * size: float("inf")}
    for n in least:
        make(tmp_path / f"{n}.csv", n)
    for _ in range(3):
        for n in least:
            begin = time.process_time()
            use(tmp_path / f"{n}.csv")
            least[n] = min(least[n], time.process_time() - begin)
    assert least[2 * size] < 3 * least[size]
