"""A disturbed run is marked: by the processors' time that others took, by a slower machine, by rounds that drift."""

import json
import os
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
from impls import InputError
from tests.support.commands import ROOT, bench, command
from tests.support.rows import written

# It ends by itself if nobody is left to kill it.
BURN = "import time\nprint(flush=True)\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"


@contextmanager
def burners():
    """Processes that do nothing but compute, on half of the processors: the run is to be disturbed, not to last."""
    with ExitStack() as stack:
        for _ in range(max(1, affinity.available() // 2)):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", BURN], stdout=subprocess.PIPE))
            stack.callback(process.kill)
            process.stdout.read(1)
        yield


@pytest.mark.live
def test_a_run_on_a_busy_machine_is_marked_in_the_summary_in_the_csv_and_by_check_and_compare(tmp_path):
    with burners():
        output = bench("--workload", "nielsen", "--examples", "400", "--trainers", "matrix", "--no-charts", "--results", tmp_path)
    assert output.returncode == 0, output.stdout
    assert "warning: other processes took processor time: nielsen matrix" in output.stdout
    (csv,) = tmp_path.glob("*.csv")
    assert 0.2 < records.read([csv])["load"].unique().item() <= 1
    assert "other processes took processor time" in command("check", csv).stdout
    (marked,) = [d for d in json.loads(command("compare", csv, "--json").stdout)["disturbed"] if d["cause"].startswith("other processes")]
    assert (marked["workload"], marked["trainer"]) == ("nielsen", "matrix")


@pytest.mark.live
def test_our_own_work_is_no_load():
    meter, a, begin = Meter(), np.ones((500, 500)), time.monotonic()
    own = -sum(os.times()[:2])
    while own + sum(os.times()[:2]) < 0.7:
        a @ a
    load = meter.shares().load
    ours = (own + sum(os.times()[:2])) / (time.monotonic() - begin) / affinity.available()
    assert load is None or load < 1 - ours + 0.1, "nobody else can have had what was ours; the system counts in ticks"


def test_a_moment_tells_nothing():
    assert Meter().shares() == (None, None)


TIMES = {("nielsen", "loop"): [0.1, 0.103, 0.098, 0.101] * 5, ("nielsen", "matrix"): [0.01, 0.0103, 0.0098, 0.0101] * 5}


def detected(path):
    return [(one.trainer, one.cause.split(",")[0], round(one.amount, 2)) for one in noise.detect(records.read([path]))]


def test_a_quiet_run_is_not_marked(tmp_path):
    assert not detected(written(tmp_path / "a.csv", TIMES, load=0.04, steal=0.04))
    assert not detected(written(tmp_path / "b.csv", TIMES, load=None, steal=None, flops_after=None))


def test_each_cause_is_told_with_its_amount(tmp_path):
    assert detected(written(tmp_path / "a.csv", TIMES, load=0.3))[0] == ("loop", "other processes took processor time", 0.3)
    assert detected(written(tmp_path / "b.csv", TIMES, steal=0.2))[1] == ("matrix", "other virtual machines took processor time", 0.2)
    assert detected(written(tmp_path / "c.csv", TIMES, flops_after=1.4e11))[0] == ("loop", "the machine had slowed down", 0.7)


@pytest.mark.parametrize(("rise", "word"), [(0.3, "slower"), (-0.3, "faster")])
def test_rounds_that_drift_are_marked_and_noise_is_not(tmp_path, rise, word):
    noise = np.random.default_rng(0).normal(1, 0.05, 40)
    times = {("nielsen", "loop"): list(noise), ("nielsen", "matrix"): list(noise * np.linspace(1, 1 + rise, 40))}
    ((trainer, cause, amount),) = detected(written(tmp_path / "a.csv", times))
    assert (trainer, cause) == ("matrix", f"epochs became {word} from the first to the last")
    assert amount == pytest.approx(abs(rise), abs=0.1)


def test_the_history_and_the_report_tell_it_too(tmp_path):
    for number, commit in enumerate(("a", "b")):
        written(tmp_path / f"{commit}.csv", TIMES, commit=commit, run_id=commit, started_at=f"2026-01-0{number + 1}", load=0.3)
    output = command("compare", tmp_path, "--over-time").stdout
    assert "other processes took processor time: box a nielsen loop 30%" in output
    pytest.importorskip("vl_convert")
    assert command("report", tmp_path, "-o", tmp_path / "page.html").returncode == 0
    assert "other processes took processor time: box a nielsen loop 30%" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_runs_older_than_the_columns_are_marked_by_what_their_rows_tell():
    disturbances = detected(ROOT / "results" / "amd-epyc-2-core" / "grid.csv")
    assert {cause for _, cause, _ in disturbances} == {"epochs became faster from the first to the last"}
    assert {trainer for trainer, _, _ in disturbances} == {"matrix_tuned"}


# --- the clock ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tick", "epoch", "said"), [(0.01, 0.5, True), (0.01, 5.0, False)])
def test_a_clock_too_coarse_for_an_epoch_is_told(tick, epoch, said):
    now = iter(range(10**6))
    clock = measure(lambda: next(now) // 1000 * tick)
    assert clock.tick == pytest.approx(tick)
    assert (clock.warning(epoch) is not None) == said


def test_a_clock_that_stands_still_is_refused():
    with pytest.raises(InputError, match="stood still"):
        measure(lambda: 7.0)


def test_this_clock_is_fine_enough_for_a_millisecond_and_is_shown():
    assert measure().warning(1e-3) is None
    assert "\nclock            steps of " in command("machine").stdout
    assert json.loads(command("machine", "--json").stdout)["clock"]["tick"] < 1e-5
