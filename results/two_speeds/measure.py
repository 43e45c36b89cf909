"""The recording behind README.md here: epochs of `matrix_tuned` with two threads, and round trips between the two processors.

python results/two_speeds/measure.py  # two minutes; needs a C compiler; writes epochs.csv and prints the table of README.md
"""

from __future__ import annotations

import csv
import ctypes
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from bench.machine import affinity  # noqa: E402 (from this checkout)
from bench.text.tables import Table  # noqa: E402
from bench.workload import WORKLOADS  # noqa: E402
from impls import load_trainer, mnist  # noqa: E402

SECONDS, EXAMPLES, TRIPS = 120, 10_000, 5_000
SLOWER = 1.4  # an epoch is slow if it takes more than this times the fastest


def record() -> list[tuple[float, float]]:
    """Return pairs (milliseconds of an epoch, nanoseconds of a round trip between the processors around it)."""
    with tempfile.TemporaryDirectory() as directory:
        library = Path(directory, "ping_pong.so")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-pthread", str(HERE / "ping_pong.c"), "-o", str(library)], check=True)
        round_trip = ctypes.CDLL(str(library)).round_trip
    round_trip.restype = ctypes.c_double
    affinity.limit_threads(2)
    workload = WORKLOADS["wide"]
    data = workload.data(mnist()).first(EXAMPLES)
    start, order = workload.network(data), data.order(seed=0)
    trainer = load_trainer("matrix_tuned")(start, data, batch_size=workload.batch_size, learning_rate=workload.learning_rate)
    pairs = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        trainer.load(start)
        before = round_trip(TRIPS)
        begin = time.perf_counter()
        trainer.train_epoch(order)
        seconds = time.perf_counter() - begin
        pairs.append((1e3 * seconds, (before + round_trip(TRIPS)) / 2))
    return pairs


def table(pairs: list[tuple[float, float]]) -> Table:
    """Return the fast and the slow epochs with their round trips."""
    limit = SLOWER * min(milliseconds for milliseconds, _ in pairs)
    rows = []
    for name, group in (
        ("fast", [pair for pair in pairs if pair[0] < limit]),
        ("slow", [pair for pair in pairs if pair[0] >= limit]),
    ):
        if group:
            epochs, trips = zip(*group, strict=True)
            rows.append((name, str(len(group)), f"{median(epochs):.0f} ms", f"{median(trips):.0f} ns"))
    return Table("", ["epochs", "number", "epoch (median)", "round trip (median)"], rows, numbers=True)


if __name__ == "__main__":
    recorded = record()
    with (HERE / "epochs.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["milliseconds", "round_trip_ns"])
        writer.writerows((f"{milliseconds:.2f}", f"{trip:.0f}") for milliseconds, trip in recorded)
    print(table(recorded).markdown())
