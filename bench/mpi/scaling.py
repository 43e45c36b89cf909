"""`mpiexec -n N python -m bench scale`: how much faster an epoch is over more ranks, and over how many more it would be.

Strong scaling divides the same mini-batches over 1, 2, 4, ... N ranks; weak scaling makes the mini-batch grow with the ranks. An epoch
begins when a barrier lets all its ranks go, and has taken as long as its slowest rank took; ranks that have no part in it sleep. Each
number of ranks is verified first. Then they take turns, a few times, so that a machine that drifts favours none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from bench.machine.load import Meter
from bench.machine.peaks import measure
from bench.machine.roofline import Peaks, epoch_work
from bench.measure.case import Case
from bench.measure.recorder import Epochs
from bench.measure.run import Run, prepare
from bench.mpi import ranks
from bench.mpi.cost_model import MOST, WORTH, Compute, Link, Model, doublings
from bench.options import Options
from bench.stats import intervals
from bench.stats.intervals import Interval
from bench.text.numbers import counted, digits, duration, duration_interval
from bench.text.tables import Table
from bench.verify.oracle import ContractError, Oracle, VerificationError
from bench.workload import Workload
from impls import InputError, Unsupported, load_trainer

_SWEEPS = 3
_SECONDS = 1.7  # of epochs, a sweep
_ROUNDS = range(1, 14)  # a sweep
_SIZES = (8, 1024, 16384, 131072)  # bytes of an Allreduce, besides the gradient's
_LONG_ENOUGH = 0.03  # seconds in which what is short is repeated
_TIMES = 7


@dataclass(frozen=True, eq=False)  # one is made of each
class Cell:
    """A trainer on a workload over the first `size` ranks, whose communicator is `members`; of those beyond them it is theirs."""

    case: Case
    size: int
    members: Any
    mine: bool

    def trainer(self) -> Any:
        """Return the class that trains over the members."""
        kind: Any = load_trainer(self.case.trainer)
        return kind.over(self.members)


def scale(asked: Callable[[], Options], say: Callable[[str], None] = print) -> int:
    """Measure on all ranks alike, record on the first, and return the exit code: 1 if a trainer computes something else."""
    every = ranks.started("scale")
    if every.rank:
        say = _nothing
    options = ranks.together(every, asked)
    apart = ranks.settle(every)
    run = ranks.together(every, lambda: _prepared(options, every.size))
    processors = ", each with its own processors" if apart else "; they share processors, so nothing can be gained by more"
    say(f"{counted(every.size, 'rank')} of {counted(run.threads, 'thread')} on {counted(ranks.hosts(every), 'host')}{processors}")
    groups = {size: every.Split(0 if every.rank < size else 1) for size in doublings(every.size)}
    for trainer in options.trainers:
        cast(Any, load_trainer(trainer)).settle(every)
    every.Barrier()
    peaks = {device: every.allgather(measure(device, options.workloads[0].dtype)) for device in _devices(options)}
    for trainer in options.trainers:
        for workload in options.workloads:
            cells = _verified(run, every, _cells(run, workload, trainer, every, groups), say)
            if not any(cell.size > 1 for cell in cells):
                continue
            times = _time(run, every, cells, peaks[load_trainer(trainer).device], say)
            if times is None:
                continue
            model, sums_with = _model(run, every, workload, trainer, {cell.size: cell.members for cell in cells})
            for table in _tables(run, workload, trainer, times, model, sums_with):
                say(f"\n{table.text()}")
    if every.rank == 0 and run.recorder.rows:
        run.close()
        run.draw()
    for line in (*run.warnings, *run.files):
        say(str(line))
    return int(every.bcast(bool(run.outcomes.failed)))


def _devices(options: Options) -> list[str]:
    return sorted({load_trainer(trainer).device for trainer in options.trainers})


def _nothing(_: str) -> None:
    """What a rank says that is not the first."""


def _prepared(options: Options, size: int) -> Run:
    for name in options.trainers:
        if not hasattr(load_trainer(name), "over"):
            raise InputError(f"--trainers {name}: it has no ranks; scale takes mpi and mpi_gpu")
    run = prepare(options, kind="timing", ranks=size)
    for case in run.cases:
        if case.absent:
            raise InputError(f"--trainers {case.trainer} cannot run here: {case.absent}")
    return run


def _cells(run: Run, workload: Workload, trainer: str, every: Any, groups: dict[int, Any]) -> list[Cell]:
    """Return strong scaling, then weak: `nielsen-x2` is nielsen with mini-batches twice as large, over two ranks."""
    most = len(workload.data(run.inputs.splits))
    grown = {size: replace(workload, name=f"{workload.name}-x{size}", batch_size=size * workload.batch_size) for size in groups if size > 1}
    wanted = [(workload, size) for size in groups] + [(job, size) for size, job in grown.items() if job.batch_size <= most]
    return [Cell(Case(job, trainer, None), size, groups[size], every.rank < size) for job, size in wanted]


def _verified(run: Run, every: Any, cells: Sequence[Cell], say: Callable[[str], None]) -> dict[Cell, float]:
    """Return the cells that the trainer can do, with their largest errors; none if over some ranks it is not what the oracle computes."""
    found, failed = {}, False
    for cell in cells:
        error, wrong, absent = 0.0, "", ""
        if cell.mine:
            try:
                error = Oracle(cell.case.workload, run.inputs.splits).max_error(cell.trainer())
            except VerificationError as told:
                wrong = f"over {counted(cell.size, 'rank')} it {told}"
            except Unsupported as reason:
                absent = str(reason)
        ranks.meet(every)
        errors, wrongs, absents = zip(*every.allgather((error, wrong, absent)), strict=True)
        if any(wrongs):
            failed = True
            _failed(run, cell.case, max(wrongs), say)
        elif any(absents):
            say(f"skipped {cell.case} over {counted(cell.size, 'rank')}: {max(absents)}")
        else:
            found[cell] = max(errors)
    return {} if failed else found


def _failed(run: Run, case: Case, reason: str, say: Callable[[str], None]) -> None:
    run.outcomes.failed[case] = reason
    say(f"FAILED {case}: {reason}")


def _time(
    run: Run, every: Any, cells: dict[Cell, float], peaks: Sequence[Peaks], say: Callable[[str], None]
) -> dict[tuple[str, int], Any] | None:
    """Time all cells in turn, record them, and return their epochs' seconds by workload and number of ranks.

    None, on all ranks, and no rows, if the trainer breaks its contract over some.
    """
    found: dict[tuple[str, int], Any] = {}
    rounds = run.options.rounds
    sweeps = min(_SWEEPS, rounds or _SWEEPS)
    for sweep in range(sweeps):
        for cell, error in cells.items():
            broken = ""
            if cell.mine:
                wanted = rounds and rounds // sweeps + (sweep < rounds % sweeps)
                meter = Meter()
                trainer, seconds = _epochs(run, cell, wanted)
                others = meter.shares()
                if every.rank == 0:
                    together = [sum(getattr(peak, rate) for peak in peaks[: cell.size]) for rate in ("flops", "bytes")]
                    accuracies = [trainer.network().accuracy(run.inputs.splits.test)] * len(seconds)
                    try:
                        data = cell.case.data(run.inputs.splits)
                        run.recorder.record(cell.case, trainer, data, Epochs(seconds, accuracies, error, others), Peaks(*together))
                    except ContractError as told:
                        broken = f"over {counted(cell.size, 'rank')} it {told}"
                    found.setdefault((cell.case.workload.name, cell.size), []).extend(seconds)
                    name = f"{cell.case} over {counted(cell.size, 'rank')}"
                    say(f"[{sweep + 1}/{sweeps}] {name:<32}  {duration(float(np.median(seconds)))} an epoch")
                del trainer
            ranks.meet(every)
            if broken := every.bcast(broken):
                for case in {cell.case for cell in cells}:
                    run.recorder.withdraw(case)
                _failed(run, cell.case, broken, say)
                return None
    return found


def _epochs(run: Run, cell: Cell, rounds: int | None) -> tuple[Any, list[float]]:
    """Return a fresh trainer and the seconds of each of its epochs from the start, after one that is not counted."""
    workload, data = cell.case.workload, cell.case.workload.data(run.inputs.splits)
    start = workload.network(data)
    trainer = cell.trainer()(start, data, batch_size=workload.batch_size, learning_rate=workload.learning_rate)
    order = cell.members.bcast(data.order(seed=workload.seed))
    (warm,) = _slowest(cell.members, [_seconds(lambda: trainer.train_epoch(order))])
    seconds = []
    for _ in range(rounds or min(max(int(_SECONDS / warm), _ROUNDS[0]), _ROUNDS[-1])):
        trainer.load(start)
        cell.members.Barrier()
        seconds.append(_seconds(lambda: trainer.train_epoch(order)))
    return trainer, _slowest(cell.members, seconds)


def _slowest(members: Any, seconds: list[float]) -> list[float]:
    """Return, of each, what the slowest of the ranks took; the same on all of them."""
    return [float(longest) for longest in np.max(members.allgather(seconds), axis=0)]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# --- the model, fitted to what is measured apart from the epochs --------------------------------------------------------------------


def _model(run: Run, every: Any, workload: Workload, trainer: str, groups: dict[int, Any]) -> tuple[Model, str]:
    """Return the model, and what sums the gradients."""
    data = workload.data(run.inputs.splits)
    alone = every.Split(every.rank)
    kind: Any = load_trainer(trainer)
    single = kind.over(alone)
    times: list[tuple[int, int, float]] = []
    gradient, sums_with = 0, ""
    for size, members in groups.items():
        if size > 1 and every.rank < size:
            over = kind.over(members)(workload.network(data), data.first(1), batch_size=1, learning_rate=workload.learning_rate)
            gradient, sums_with = over.message, over.sums_with
            times += [(size, sent, _allreduce(over, members, sent)) for sent in (*_SIZES, gradient)]
    ranks.meet(every)
    shares = sorted({-(-workload.batch_size // size) for size in doublings(MOST)})
    steps = [(share, _step(every, single, workload, data, share)) for share in shares]
    alone.Free()
    times, gradient, sums_with = every.bcast((times, gradient, sums_with))
    return Model(Compute.fitted(steps), Link.fitted(times), gradient, len(data)), sums_with


def _step(every: Any, kind: Any, workload: Workload, data: Any, share: int) -> float:
    """Return the seconds of a step on so many examples, on every rank at once: of the slowest, the median."""
    steps = min(max(1000 // share, 3), len(data) // share)
    some = data.first(steps * share)
    trainer = kind(workload.network(some), some, batch_size=share, learning_rate=workload.learning_rate)
    order = some.order(seed=workload.seed)
    trainer.train_epoch(order)
    seconds = []
    for _ in range(_TIMES):
        every.Barrier()
        seconds.append(_seconds(lambda: trainer.train_epoch(order)))
    return float(np.median(_slowest(every, seconds))) / steps


def _allreduce(trainer: Any, members: Any, size: int) -> float:
    """Return the seconds in which the trainer sums so many bytes over its ranks: of the slowest, the median."""
    exchange = trainer.exchange(size)

    def repeated(times: int) -> float:
        members.Barrier()
        return _seconds(lambda: exchange(times))

    (first,) = _slowest(members, [repeated(10)])
    times = min(max(int(_LONG_ENOUGH / (first / 10)), 1), 1000)
    return float(np.median(_slowest(members, [repeated(times) for _ in range(_TIMES)]))) / times


# --- tables -------------------------------------------------------------------------------------------------------------------------


def _tables(run: Run, workload: Workload, trainer: str, times: dict[tuple[str, int], Any], model: Model, sums_with: str) -> Iterable[Table]:
    """Yield the strong and the weak scaling: what was measured, and what is predicted up to MOST ranks."""
    if not times:
        return
    data = workload.data(run.inputs.splits)
    title, m = workload.title(workload.layers(data), len(data)), workload.batch_size
    flops = epoch_work(workload.layers(data), 1, 4).flops
    enough = model.enough(m)
    notes = [
        f"predicted: a step {duration(model.compute.fixed)} and its products at {_per_second(flops, model.compute.example)}FLOP/s, "
        f"an Allreduce of {model.gradient:,} bytes with {sums_with}: {duration(model.link.alpha)} a message, "
        f"{_per_second(1, model.link.beta)}B/s",
        f"predicted: from {counted(enough, 'rank')} on, twice as many shorten the epoch by less than {WORTH:.0%}, "
        "if all are connected as these are",
    ]
    headings = ("ranks", "mini-batch", "epoch (95 %)", "speedup", "efficiency", "predicted epoch", "speedup", "efficiency", "off by")
    sizes = sorted({*doublings(MOST), *(size for _, size in times)})
    strong = [_row(size, m, times.get((workload.name, size)), times, workload, model, m) for size in sizes]
    yield Table(f"{trainer}, strong scaling: {title}", headings, strong, notes)
    grown = [size for size in sizes if size * m <= len(data)]
    weak = [_row(size, size * m, times.get((f"{workload.name}-x{size}" if size > 1 else workload.name, size)), times, workload, model, m)
            for size in grown]  # fmt: skip
    yield Table(f"{trainer}, weak scaling: {title} a rank", headings, weak)


def _per_second(amount: float, seconds: float) -> str:
    """Return a rate in billions, without its unit; none was seen if it takes no time."""
    return f"{digits(amount / seconds / 1e9)} G" if seconds else "- G"


def _row(size: int, batch_size: int, epochs: Any, times: Any, workload: Workload, model: Model, m: int) -> list[str]:
    """Return a row of a table: the speedup is over the epoch of one rank."""
    predicted = model.epoch(size, batch_size)
    ratio = model.epoch(1, m) / predicted
    told = [duration(predicted), f"{digits(ratio)}x", f"{ratio / size:.0%}"]
    if not epochs:
        return [f"{size:,}", f"{batch_size:,}", "", "", "", *told, ""]
    measured: Interval = intervals.median(epochs)
    speedup = intervals.ratio(times[workload.name, 1], epochs).value
    mine = [duration_interval(measured), f"{digits(speedup)}x", f"{speedup / size:.0%}"]
    return [f"{size:,}", f"{batch_size:,}", *mine, *told, f"{predicted / measured.value - 1:+.0%}"]
