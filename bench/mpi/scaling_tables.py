"""Tables of strong and weak scaling, measured and predicted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.machine.roofline import epoch_work
from bench.measure.run import Run
from bench.mpi.cost_model import MOST, WORTH, Model, doublings
from bench.stats import intervals
from bench.stats.intervals import Interval
from bench.text.numbers import counted, digits, duration, duration_interval
from bench.text.tables import Table
from bench.workload import Workload


def tables(run: Run, workload: Workload, trainer: str, times: dict[tuple[str, int], Any], model: Model, sums_with: str) -> Iterator[Table]:
    """Yield the table of strong scaling, then of weak scaling: measured epochs, and predictions up to MOST ranks."""
    if not times:
        return
    data = workload.data(run.inputs.splits)
    title, m = workload.title(workload.layers(data), len(data)), workload.batch_size
    flops = epoch_work(workload.layers(data), 1, 4).flops
    enough = model.enough(m)
    notes = [
        f"model: {duration(model.compute.fixed)} per step plus matrix products at {_per_second(flops, model.compute.example)}FLOP/s; "
        f"Allreduce of {model.gradient:,} bytes with {sums_with}: {duration(model.link.alpha)} per message, "
        f"{_per_second(1, model.link.beta)}B/s",
        f"prediction: from {counted(enough, 'rank')} on, doubling the ranks shortens the epoch by less than {WORTH:.0%}, "
        "if the links between all ranks are as fast as these",
    ]
    headings = ("ranks", "mini-batch", "epoch (95 %)", "speedup", "efficiency", "predicted epoch", "speedup", "efficiency", "error")
    sizes = sorted({*doublings(MOST), *(size for _, size in times)})
    strong = [_row(size, m, times.get((workload.name, size)), times, workload, model, m) for size in sizes]
    yield Table(f"{trainer}, strong scaling: {title}", headings, strong, notes)
    grown = [size for size in sizes if size * m <= len(data)]
    weak = [_row(size, size * m, times.get((f"{workload.name}-x{size}" if size > 1 else workload.name, size)), times, workload, model, m)
            for size in grown]  # fmt: skip
    yield Table(f"{trainer}, weak scaling: {title} per rank", headings, weak)


def _per_second(amount: float, seconds: float) -> str:
    """Return a rate with the prefix G, without its unit, or "- G" if the fitted time is 0."""
    return f"{digits(amount / seconds / 1e9)} G" if seconds else "- G"


def _row(size: int, batch_size: int, epochs: Any, times: Any, workload: Workload, model: Model, m: int) -> list[str]:
    """Return a row of a table. Speedups are relative to the epoch on one rank."""
    predicted = model.epoch(size, batch_size)
    ratio = model.epoch(1, m) / predicted
    predictions = [duration(predicted), f"{digits(ratio)}x", f"{ratio / size:.0%}"]
    if not epochs:
        return [f"{size:,}", f"{batch_size:,}", "", "", "", *predictions, ""]
    measured: Interval = intervals.median(epochs)
    speedup = intervals.ratio(times[workload.name, 1], epochs).value
    mine = [duration_interval(measured), f"{digits(speedup)}x", f"{speedup / size:.0%}"]
    return [f"{size:,}", f"{batch_size:,}", *mine, *predictions, f"{predicted / measured.value - 1:+.0%}"]
