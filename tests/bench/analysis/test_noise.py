"""Tests of the flags for noisy cases: CPU time taken by others, a slower machine, drift; and tests of the clock."""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest

from bench import records
from bench.analysis import noise
from bench.machine import affinity
from bench.machine.clock import measure
from bench.machine.load import Meter
from bench.records.schema import HEADERS
from tests.support.commands import bench, command
from tests.support.pages import part
from tests.support.refusals import refused
from tests.support.rows import written

# The time limit ends it if the test process dies first.
BURN = "import time\nprint(flush=True)\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"


@contextmanager
def burners():
    """Run busy processes on half of the processors. This disturbs a benchmark without making it much longer."""
    with ExitStack() as stack:
        for _ in range(max(1, affinity.available() // 2)):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", BURN], stdout=subprocess.PIPE))
            stack.callback(process.kill)
            process.stdout.read(1)
        yield


@pytest.mark.live
def test_a_run_on_a_busy_machine_is_flagged_in_the_summary_and_by_check_and_compare(tmp_path):
    with burners():
        output = bench("--workload", "nielsen", "--examples", "400", "--trainers", "matrix", "--no-charts", "--results", tmp_path)
    assert output.returncode == 0, output.stdout
    assert f"{noise.CAUSES['load']}: nielsen matrix" in output.stdout
    (csv,) = tmp_path.glob("*.csv")
    assert 0.2 < records.read([csv])["load"].unique().item() <= 1
    assert noise.CAUSES["load"] in command("check", csv).stdout
    (flagged,) = [d for d in json.loads(command("compare", csv, "--json").stdout)["disturbed"] if d["cause"] == "load"]
    assert (flagged["workload"], flagged["trainer"]) == ("nielsen", "matrix")


@pytest.mark.live
def test_own_work_does_not_count_as_load():
    meter, a, begin = Meter(), np.ones((500, 500)), time.monotonic()
    own = -sum(os.times()[:2])
    while own + sum(os.times()[:2]) < 0.7:
        a @ a
    load = meter.shares().load
    ours = (own + sum(os.times()[:2])) / (time.monotonic() - begin) / affinity.available()
    assert load is None or load < 1 - ours + 0.1, "other processes cannot have used our CPU time; 0.1 allows for the system's ticks"


def test_too_short_an_interval_gives_unknown_shares():
    assert Meter().shares() == (None, None)


TIMES = {("nielsen", "loop"): [0.1, 0.103, 0.098, 0.101] * 5, ("nielsen", "matrix"): [0.01, 0.0103, 0.0098, 0.0101] * 5}


def detected(path):
    return [(one.trainer, one.cause, round(one.amount, 2)) for one in noise.detect(records.read([path]))]


def test_a_run_on_an_idle_machine_is_not_flagged(tmp_path):
    assert not detected(written(tmp_path / "a.csv", TIMES, load=0.04, steal=0.04))
    assert not detected(written(tmp_path / "b.csv", TIMES, load=None, steal=None, flops_after=None))


def test_each_cause_has_its_amount(tmp_path):
    assert detected(written(tmp_path / "a.csv", TIMES, load=0.3))[0] == ("loop", "load", 0.3)
    assert detected(written(tmp_path / "b.csv", TIMES, steal=0.2))[1] == ("matrix", "steal", 0.2)


def test_a_machine_that_slowed_down_is_flagged_by_the_product_of_one_library(tmp_path):
    """The peak of a case may be that of another library's product, so only the rates after the cases are compared."""
    (loop, matrix) = TIMES.items()
    one = written(tmp_path / "a.csv", dict([loop]), flops_after=1.4e11)
    other = written(tmp_path / "b.csv", dict([matrix]), flops_after=2e11, peak_flops=4e11)
    (disturbance,) = noise.detect(records.read([one, other]))
    assert (disturbance.trainer, disturbance.cause, round(disturbance.amount, 2)) == ("loop", "rate", 0.7)


@pytest.mark.parametrize(("rise", "word"), [(0.3, "slower"), (-0.3, "faster")])
def test_drift_is_flagged_and_random_noise_is_not(tmp_path, rise, word):
    noise = np.random.default_rng(0).normal(1, 0.05, 40)
    times = {("nielsen", "loop"): list(noise), ("nielsen", "matrix"): list(noise * np.linspace(1, 1 + rise, 40))}
    ((trainer, cause, amount),) = detected(written(tmp_path / "a.csv", times))
    assert trainer == "matrix"
    assert cause == word
    assert amount == pytest.approx(abs(rise), abs=0.1)


def test_a_trainer_far_behind_loop_or_the_fastest_is_flagged(tmp_path):
    times = {("nielsen", "loop"): [5.0] * 5, ("nielsen", "matrix"): [0.01] * 5}
    waiting = {("nielsen", "torch_cpu"): 75.0}
    assert detected(written(tmp_path / "a.csv", times | waiting)) == [("torch_cpu", "behind_loop", 15.0)]
    assert not detected(written(tmp_path / "b.csv", {("nielsen", "matrix"): 0.1} | waiting))
    assert detected(written(tmp_path / "c.csv", {("nielsen", "matrix"): 0.01} | waiting)) == [("torch_cpu", "behind_fastest", 7500.0)]
    other_job = {("nielsen", "loop"): [0.1] * 5, ("large", "torch_cpu"): 75.0}
    assert not detected(written(tmp_path / "d.csv", other_job))


def test_what_a_framework_needs_for_the_calls_of_a_step_is_not_flagged(tmp_path):
    one_image = {("h30-b1", "loop"): 2.6, ("h30-b1", "torch_gpu"): 55.0}  # 50,000 steps
    assert not detected(written(tmp_path / "a.csv", one_image))


def test_a_clock_that_fell_by_a_tenth_and_a_throttled_device_are_flagged(tmp_path):
    steady = written(tmp_path / "a.csv", TIMES, clock_mhz=3000.0, clock_mhz_after=2760.0)
    assert not detected(steady)
    slower = detected(written(tmp_path / "b.csv", {("nielsen", "gpu"): 0.1}, clock_mhz=3000.0, clock_mhz_after=2640.0))
    assert slower == [("gpu", "clock", pytest.approx(0.88))]
    unknown = {"clock_mhz": None, "clock_mhz_after": None, "throttled": "power cap"}
    csv = written(tmp_path / "c.csv", {("nielsen", "gpu"): 0.1}, **unknown)
    (flag,) = noise.detect(records.read([csv]))
    assert (flag.cause, flag.json()["amount"]) == ("throttled", None)
    (line,) = noise.format_lines([flag], with_run=False)
    assert "nielsen gpu;" in line, "without a percentage"


def test_the_history_and_the_report_show_the_flags(tmp_path):
    for number, commit in enumerate(("a", "b")):
        written(tmp_path / f"{commit}.csv", TIMES, commit=commit, run_id=commit, started_at=f"2026-01-0{number + 1}", load=0.3)
    output = command("compare", tmp_path, "--over-time").stdout
    line = f"{noise.CAUSES['load']}: box a nielsen loop 30%"
    assert line in output
    pytest.importorskip("vl_convert")
    assert command("report", tmp_path, "-o", tmp_path / "page.html").returncode == 0
    assert line in part(tmp_path / "page.html", "figures").decode()


def test_runs_of_an_older_schema_are_flagged_by_drift_only(tmp_path):
    noise = np.random.default_rng(0).normal(1, 0.01, 40)
    times = {("nielsen", "loop"): list(noise), ("nielsen", "compiled"): list(noise * np.linspace(1, 0.8, 40))}
    csv = written(tmp_path / "a.csv", times, load=0.5, schema=1)
    width = len(HEADERS[1])
    cut = [",".join(line.split(",")[:width]) for line in csv.read_text(encoding="utf-8").splitlines()]
    csv.write_text("\n".join(cut) + "\n", encoding="utf-8")
    ((trainer, cause, _),) = detected(csv)
    assert trainer == "compiled"
    assert cause == "faster"


# --- the clock ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tick", "epoch", "warned"), [(0.01, 0.5, True), (0.01, 5.0, False)])
def test_a_clock_too_coarse_for_an_epoch_gives_a_warning(tick, epoch, warned):
    now = iter(range(10**6))
    clock = measure(lambda: next(now) // 1000 * tick)
    assert clock.tick == pytest.approx(tick)
    assert (clock.warning(epoch) is not None) == warned


def test_a_clock_that_does_not_advance_is_an_error():
    with refused("time.perf_counter"):
        measure(lambda: 7.0)


def test_this_clock_can_time_a_millisecond_and_is_printed():
    assert measure().warning(1e-3) is None
    assert re.search(r"^clock +resolution ", command("machine").stdout, re.MULTILINE)
    assert json.loads(command("machine", "--json").stdout)["clock"]["tick"] < 1e-5
