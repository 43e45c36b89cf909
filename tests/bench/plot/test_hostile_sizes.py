"""Charts with few and many trainers and machines, with long names and with disturbed cases: a reader can read every text."""

import pytest

from bench import records
from bench.analysis.timings import timings
from bench.plot import charts, machines, maps, style
from impls import TRAINERS
from tests.support.drawn_texts import unreadable
from tests.support.rows import written

FIFTEEN = list(TRAINERS)[:15]
SIZES = {"few": ((30, 100), (1, 10, 100)), "many": ((20, 30, 100, 1000), (1, 2, 5, 10, 100, 1000, 10_000))}
LONG_TRAINER = "somebodys_package.trainers_of_networks:TrainerWithALongClassName"
LONG_MACHINE = "intel-xeon-platinum-8480c-processor-112-core-nvidia-h200-nvl"
LONG = {
    "cpu": "Intel(R) Xeon(R) Platinum 8480C Processor with a long suffix",
    "gpu": "NVIDIA H200 NVL of the second revision, water-cooled",
}
NOISE = {"load": 0.5}  # other programs used half of the processor
ALONE = {"peak_flops": None, "call_seconds": None}  # without these, nothing is known for the roofline and the anatomy

CHARTS = ("speedup", "epoch-time", "throughput-by-batch-size", "throughput-by-width", "map")


def cases(trainers, sizes="few"):
    """Return seconds of two workloads and a grid for each trainer. Lines cross: later trainers gain more from large mini-batches."""
    times = {}
    for position, trainer in enumerate(trainers):
        for workload in ("nielsen", "wide"):
            times[workload, trainer] = 3.0 / 2**position
        for width in SIZES[sizes][0]:
            for size in SIZES[sizes][1]:
                times[f"h{width}-b{size}", trainer] = 1e-3 * width**0.5 * (2**position / size + 1 / (1 + position))
    return times


@pytest.fixture
def timed(tmp_path):
    """Return the rows of several runs, each given by its times and its columns."""

    def make(*runs):
        paths = [written(tmp_path / f"{i}.csv", times, run_id=f"r{i}", **ALONE, **columns) for i, (times, columns) in enumerate(runs)]
        return records.read(paths)

    return make


ONE_MACHINE = {
    "one trainer": [(cases(["loop"]), {})],
    "15 trainers": [(cases(FIFTEEN), {})],
    "many sizes": [(cases(FIFTEEN[:4], "many"), {})],
    "long names": [(cases(["loop", LONG_TRAINER, f"{LONG_TRAINER}2"], "few"), {"machine": LONG_MACHINE, **LONG})],
    "a long workload": [(dict(list(cases(["loop", "gpu"]).items())[:1]), {"workload": "my-workload-" * 5, "machine": LONG_MACHINE})],
    "a disturbed trainer": [(cases(["loop", "matrix"]), {}), (cases(["compiled"]), NOISE)],
    "all disturbed": [(cases(FIFTEEN[:4]), NOISE)],
}


@pytest.mark.parametrize("name", ONE_MACHINE)
def test_charts_of_one_machine_are_readable(timed, name):
    with style.in_use():
        drawn = [(chart, figure) for chart, figure in charts.figures(timed(*ONE_MACHINE[name])) if chart in CHARTS]
        assert drawn
        for chart, figure in drawn:
            assert list(unreadable(figure)) == [], chart
            assert figure.get_figwidth() <= 10.5, f"{chart}: its PNG is wider than a page"


SEVERAL = {
    "one machine": [(cases(FIFTEEN), {})],
    "ten machines": [(cases(FIFTEEN[:3]), {"machine": f"machine-{i}"}) for i in range(10)],
    "long names": [(cases(["loop", LONG_TRAINER]), {"machine": f"{LONG_MACHINE}-{i}"}) for i in range(3)],
    "a long workload": [({("nielsen", "loop"): 1.0}, {"workload": "my-workload-" * 5, "machine": name}) for name in ("a", "b")],
    "a trainer missing on one machine": [(cases(["loop", "matrix"]), {"machine": "a"}), (cases(["loop"]), {"machine": "b"})],
    "several configurations": [(cases(FIFTEEN[:3]), {"machine": LONG_MACHINE, "threads": n}) for n in (1, 2, 4, 112)],
    "a disturbed machine": [(cases(FIFTEEN[:4]), {"machine": "a"}), (cases(FIFTEEN[:4]), {"machine": "b", **NOISE})],
    "all disturbed": [(cases(FIFTEEN[:4]), {"machine": name, **NOISE}) for name in ("a", "b")],
}


@pytest.mark.parametrize("name", SEVERAL)
def test_charts_of_several_machines_are_readable(timed, name):
    times = timings(timed(*SEVERAL[name]))
    with style.in_use():
        assert list(unreadable(machines.draw(times, [job for job in times.jobs if job.width is None]))) == []
        if mapped := maps.of(times):
            assert list(unreadable(maps.draw(mapped, None))) == []
