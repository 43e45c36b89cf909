"""Tables of strong and weak scaling, measured and predicted."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from bench.machine.roofline import epoch_work
from bench.measure.run import Run
from bench.mpi.cost_model import MOST, WORTH, Model, doublings
from bench.stats import intervals
from bench.text.numbers import counted, digits, duration, duration_interval
from bench.text.tables import Table
from bench.workload import Workload


def tables(
    run: Run,
    workload: Workload,
    trainer: str,
    times: dict[tuple[str, int], Any],
    model: Model,
    sums_with: str,
    noisy: Collection[tuple[str, int]],
) -> Iterator[Table]:
    """Yield the table of strong scaling, then of weak scaling: measured epochs, and predictions up to MOST ranks.

    times, noisy: the seconds of each case, and the disturbed cases, by workload and number of ranks
    """
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

    def row(size: int, batch_size: int, name: str) -> list[str]:
        start, predictions = [f"{size:,}", f"{batch_size:,}"], _predicted(size, batch_size, model, m)
        if (name, size) not in times:
            return [*start, "", "", "", *predictions, ""]
        epochs, error = times[name, size], model.epoch(size, batch_size) / intervals.median(times[name, size]).value - 1
        disturbed = [case in noisy for case in ((name, size), (workload.name, 1))]
        return [*start, *_measured(size, epochs, times[workload.name, 1], *disturbed), *predictions, f"{error:+.0%}"]

    strong = [row(size, m, workload.name) for size in sizes]
    yield Table(f"{trainer}, strong scaling: {title}", headings, strong, notes)
    grown = [size for size in sizes if size * m <= len(data)]
    weak = [row(size, size * m, f"{workload.name}-x{size}" if size > 1 else workload.name) for size in grown]
    yield Table(f"{trainer}, weak scaling: {title} per rank", headings, weak)


def _per_second(amount: float, seconds: float) -> str:
    """Return a rate with the prefix G, without its unit, or "- G" if the fitted time is 0."""
    return f"{digits(amount / seconds / 1e9)} G" if seconds else "- G"


def _predicted(size: int, batch_size: int, model: Model, m: int) -> list[str]:
    """Return the cells of the predicted epoch. Its speedup is relative to the epoch on one rank, with mini-batches of m."""
    predicted = model.epoch(size, batch_size)
    ratio = model.epoch(1, m) / predicted
    return [duration(predicted), f"{digits(ratio)}x", f"{ratio / size:.0%}"]


def _measured(size: int, epochs: Any, one_rank: Any, noisy: bool, noisy_rank: bool) -> list[str]:
    """Return the cells of the measured epoch.

    one_rank: the seconds on one rank; noisy, noisy_rank: whether this case was disturbed, and that on one rank
    """
    speedup = intervals.ratio(one_rank, epochs).value
    epoch = duration_interval(intervals.median(epochs)) + (", disturbed" if noisy else "")
    return [epoch, f"{digits(speedup)}x" + (", disturbed" if noisy or noisy_rank else ""), f"{speedup / size:.0%}"]
