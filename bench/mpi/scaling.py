"""`mpiexec -n N python -m bench scale`: how much faster an epoch is over more ranks, and over how many more it would be.

Strong scaling divides the same mini-batches over 1, 2, 4, ... N ranks; weak scaling makes the mini-batch grow with the ranks. An epoch
begins when a barrier lets all its ranks go, and has taken as long as its slowest rank took; ranks that have no part in it sleep. Each
number of ranks is verified first. Then they take turns, a few times, so that a machine that drifts favours none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from bench.machine.load import Meter
from bench.machine.peaks import measure
from bench.machine.roofline import Peaks
from bench.measure.case import Case
from bench.measure.recorder import Epochs
from bench.measure.run import Run, prepare
from bench.mpi import ranks
from bench.mpi.cost_model import doublings
from bench.mpi.model_fit import fitted_model
from bench.mpi.scaling_tables import tables
from bench.mpi.slowest_rank import seconds_of, slowest
from bench.options import Options
from bench.text.numbers import counted, duration
from bench.verify.contract import ContractError
from bench.verify.oracle import Oracle, VerificationError
from bench.workload import Workload
from impls import InputError, Unsupported, load_trainer

LOG = logging.getLogger(__name__)

_SWEEPS = 3
_SECONDS = 1.7  # of epochs, a sweep
_ROUNDS = range(1, 14)  # a sweep


@dataclass(frozen=True, eq=False)  # one is made of each
class ScalingCase:
    """A trainer on a workload over the first `size` ranks, whose communicator is `members`; of those beyond them it is theirs."""

    case: Case
    size: int
    members: Any
    mine: bool

    def trainer(self) -> Any:
        """Return the class that trains over the members."""
        kind: Any = load_trainer(self.case.trainer)
        return kind.over(self.members)


def scale(asked: Callable[[], Options]) -> int:
    """Measure on all ranks alike, record on the first, and return the exit code: 1 if a trainer computes something else."""
    every = ranks.started("scale")
    if every.rank:
        LOG.disabled = True  # the first rank speaks for all
    options = ranks.on_all_ranks(every, asked)
    exclusive_cores = ranks.pin_share(every)
    run = ranks.on_all_ranks(every, lambda: _prepared(options, every.size))
    processors = ", each with its own processors" if exclusive_cores else "; they share processors, so nothing can be gained by more"
    LOG.info(f"{counted(every.size, 'rank')} of {counted(run.threads, 'thread')} on {counted(ranks.hosts(every), 'host')}{processors}")
    groups = {size: every.Split(0 if every.rank < size else 1) for size in doublings(every.size)}
    for trainer in options.trainers:
        cast(Any, load_trainer(trainer)).choose_device(every)
    every.Barrier()
    peaks = {device: every.allgather(measure(device, options.workloads[0].dtype)) for device in _devices(options)}
    for trainer in options.trainers:
        for workload in options.workloads:
            cases = _verified(run, every, _scaling_cases(run, workload, trainer, every, groups))
            if not any(scaled.size > 1 for scaled in cases):
                continue
            times = _time(run, every, cases, peaks[load_trainer(trainer).device])
            if times is None:
                continue
            model, sums_with = fitted_model(run, every, workload, trainer, {scaled.size: scaled.members for scaled in cases})
            for table in tables(run, workload, trainer, times, model, sums_with):
                LOG.info(f"\n{table.text()}")
    if every.rank == 0 and run.recorder.rows:
        run.close()
        run.draw()
    for line in (*run.warnings, *run.files):
        LOG.info(str(line))
    return int(every.bcast(bool(run.outcomes.failed)))


def _devices(options: Options) -> list[str]:
    return sorted({load_trainer(trainer).device for trainer in options.trainers})


def _prepared(options: Options, size: int) -> Run:
    for name in options.trainers:
        if not hasattr(load_trainer(name), "over"):
            raise InputError(f"--trainers {name}: it has no ranks; scale takes mpi and mpi_gpu")
    run = prepare(options, kind="timing", ranks=size)
    for case in run.cases:
        if case.absent:
            raise InputError(f"--trainers {case.trainer} cannot run here: {case.absent}")
    return run


def _scaling_cases(run: Run, workload: Workload, trainer: str, every: Any, groups: dict[int, Any]) -> list[ScalingCase]:
    """Return strong scaling, then weak: `nielsen-x2` is nielsen with mini-batches twice as large, over two ranks."""
    most = len(workload.data(run.inputs.splits))
    grown = {size: replace(workload, name=f"{workload.name}-x{size}", batch_size=size * workload.batch_size) for size in groups if size > 1}
    wanted = [(workload, size) for size in groups] + [(job, size) for size, job in grown.items() if job.batch_size <= most]
    return [ScalingCase(Case(job, trainer, None), size, groups[size], every.rank < size) for job, size in wanted]


def _verified(run: Run, every: Any, cases: Sequence[ScalingCase]) -> dict[ScalingCase, float]:
    """Return the cases that the trainer can do, with their largest errors; none if over some ranks it is not what the oracle computes."""
    verified, failed = {}, False
    for scaled in cases:
        error, wrong, absent = 0.0, "", ""
        if scaled.mine:
            try:
                error = Oracle(scaled.case.workload, run.inputs.splits).max_error(scaled.trainer())
            except VerificationError as failure:
                wrong = f"over {counted(scaled.size, 'rank')} it {failure}"
            except Unsupported as reason:
                absent = str(reason)
        ranks.quiet_barrier(every)
        errors, wrongs, absents = zip(*every.allgather((error, wrong, absent)), strict=True)
        if any(wrongs):
            failed = True
            _failed(run, scaled.case, max(wrongs))
        elif any(absents):
            LOG.info(f"skipped {scaled.case} over {counted(scaled.size, 'rank')}: {max(absents)}")
        else:
            verified[scaled] = max(errors)
    return {} if failed else verified


def _failed(run: Run, case: Case, reason: str) -> None:
    run.outcomes.failed[case] = reason
    LOG.info(f"FAILED {case}: {reason}")


def _time(run: Run, every: Any, cases: dict[ScalingCase, float], peaks: Sequence[Peaks]) -> dict[tuple[str, int], Any] | None:
    """Time all cases in turn, record them, and return their epochs' seconds by workload and number of ranks.

    None, on all ranks, and no rows, if the trainer breaks its contract over some.
    """
    times: dict[tuple[str, int], Any] = {}
    rounds = run.options.rounds
    sweeps = min(_SWEEPS, rounds or _SWEEPS)
    for sweep in range(sweeps):
        for scaled, error in cases.items():
            broken = ""
            if scaled.mine:
                wanted = rounds and rounds // sweeps + (sweep < rounds % sweeps)
                meter = Meter()
                trainer, seconds = _epochs(run, scaled, wanted)
                others = meter.shares()
                if every.rank == 0:
                    combined = [sum(getattr(peak, rate) for peak in peaks[: scaled.size]) for rate in ("flops", "bytes")]
                    accuracies = [trainer.network().accuracy(run.inputs.splits.test)] * len(seconds)
                    try:
                        data = scaled.case.data(run.inputs.splits)
                        run.recorder.record(scaled.case, trainer, data, Epochs(seconds, accuracies, error, others), Peaks(*combined))
                    except ContractError as failure:
                        broken = f"over {counted(scaled.size, 'rank')} it {failure}"
                    times.setdefault((scaled.case.workload.name, scaled.size), []).extend(seconds)
                    name = f"{scaled.case} over {counted(scaled.size, 'rank')}"
                    LOG.info(f"[{sweep + 1}/{sweeps}] {name:<32}  {duration(float(np.median(seconds)))} an epoch")
                del trainer
            ranks.quiet_barrier(every)
            if broken := every.bcast(broken):
                for case in {scaled.case for scaled in cases}:
                    run.recorder.withdraw(case)
                _failed(run, scaled.case, broken)
                return None
    return times


def _epochs(run: Run, scaled: ScalingCase, rounds: int | None) -> tuple[Any, list[float]]:
    """Return a fresh trainer and the seconds of each of its epochs from the start, after one that is not counted."""
    workload, data = scaled.case.workload, scaled.case.workload.data(run.inputs.splits)
    start = workload.network(data)
    trainer = scaled.trainer()(start, data, batch_size=workload.batch_size, learning_rate=workload.learning_rate)
    order = scaled.members.bcast(data.order(seed=workload.seed))
    (warm,) = slowest(scaled.members, [seconds_of(lambda: trainer.train_epoch(order))])
    seconds = []
    for _ in range(rounds or min(max(int(_SECONDS / warm), _ROUNDS[0]), _ROUNDS[-1])):
        trainer.load(start)
        scaled.members.Barrier()
        seconds.append(seconds_of(lambda: trainer.train_epoch(order)))
    return trainer, slowest(scaled.members, seconds)
