"""The command `mpiexec -n N python -m bench scale`: time an epoch over 1 to N ranks, and predict it for more.

Strong scaling divides the same mini-batches over 1, 2, 4, ... N ranks. Weak scaling makes the mini-batch grow with the ranks. An epoch
begins when its ranks leave a barrier and ends when the slowest rank finishes; ranks outside the group sleep. The command first verifies the
trainer on every number of ranks. Then it times them in turn, in several sweeps, so that drift of the machine affects all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from bench.analysis import noise
from bench.machine.load import Meter
from bench.machine.peaks import library_for, measure
from bench.machine.roofline import Peaks
from bench.measure.case import Case
from bench.measure.conditions import Conditions
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
from bench.verify.oracle import VerificationError
from bench.workload import Workload
from impls import InputError, Unsupported, load_trainer

LOG = logging.getLogger(__name__)

_SWEEPS = 3
_SECONDS = 1.7  # of timed epochs, per sweep and case
_ROUNDS = range(1, 14)  # allowed numbers of rounds, per sweep and case


@dataclass(frozen=True, eq=False)  # each object is unique, so it is hashed by identity
class ScalingCase:
    """A trainer on a workload over the first `size` ranks.

    members  the communicator of these ranks; on every other rank, the communicator of the other ranks
    mine     whether this rank is one of the first `size`
    """

    case: Case
    size: int
    members: Any
    mine: bool

    def trainer(self) -> Any:
        """Return the trainer class for the ranks in `members`."""
        kind: Any = load_trainer(self.case.trainer)
        return kind.over(self.members)


def scale(asked: Callable[[], Options], *, oversubscribe: bool) -> int:
    """Measure on all ranks, record on the first, and return the exit code: 1 if a trainer fails verification or breaks its contract.

    oversubscribe  whether to measure numbers of ranks that must share processors. This takes minutes, because a rank that waits keeps
                   its processor from one that computes
    """
    every = ranks.started("scale")
    if every.rank:
        LOG.disabled = True  # only the first rank prints
    options = ranks.on_all_ranks(every, asked)
    fitting = ranks.pin_share(every)
    most = ranks.on_all_ranks(every, lambda: every.size if oversubscribe else _most(fitting))
    run = ranks.on_all_ranks(every, lambda: _prepared(options, every.size))
    processors = ", each with its own processors"
    if fitting < every.size:
        processors = "; they share processors, so more ranks cannot be faster"
        if most < every.size:
            processors = f"; only the first {most} have processors of their own, so --oversubscribe is needed to measure more"
    LOG.info(f"{counted(every.size, 'rank')} of {counted(run.threads, 'thread')} on {counted(ranks.hosts(every), 'host')}{processors}")
    measuring = every.rank < most
    members = every.Split(int(not measuring))
    code = _measured(run, members) if measuring else 0
    ranks.quiet_barrier(every)
    return int(every.bcast(code))


def _measured(run: Run, every: Any) -> int:
    """Measure on these ranks, record on the first, and return the exit code."""
    options = run.options
    groups = {size: every.Split(0 if every.rank < size else 1) for size in doublings(every.size)}
    for trainer in options.trainers:
        cast(Any, load_trainer(trainer)).choose_device(every)
    every.Barrier()
    peaks = {library: every.allgather(measure(library, options.workloads[0].dtype)) for library in _libraries(options)}
    for trainer in options.trainers:
        for workload in options.workloads:
            cases = _verified(run, every, _scaling_cases(run, workload, trainer, every, groups))
            if not any(scaled.size > 1 for scaled in cases):
                continue
            times = _time(run, every, cases, peaks[library_for(load_trainer(trainer))])
            if times is None:
                continue
            model, sums_with = fitted_model(run, every, workload, trainer, {scaled.size: scaled.members for scaled in cases})
            noisy = {(one.workload, one.ranks) for one in noise.detect(run.recorder.table()) if one.trainer == trainer}
            for table in tables(run, workload, trainer, times, model, sums_with, noisy):
                LOG.info(f"\n{table.text()}")
    if every.rank == 0 and run.recorder.rows:
        run.close()
        run.draw()
    disturbed = (f"warning: {line}" for line in noise.format_lines(noise.detect(run.recorder.table()), with_run=False))
    for line in (*run.warnings, *disturbed, *run.files):
        LOG.info(str(line))
    return int(every.bcast(bool(run.outcomes.failed)))


def _most(fitting: int) -> int:
    """Return the largest number of ranks to measure. Raises InputError if two ranks share a processor."""
    if fitting < 2:
        raise InputError("mpiexec", "the first two ranks share a processor", "start them on separate ones, or give --oversubscribe")
    return fitting


def _libraries(options: Options) -> list[str]:
    return sorted({library_for(load_trainer(trainer)) for trainer in options.trainers})


def _prepared(options: Options, size: int) -> Run:
    for name in options.trainers:
        if not hasattr(load_trainer(name), "over"):
            raise InputError(f"--trainers {name}", "cannot run over several ranks", "choose mpi or mpi_gpu")
    run = prepare(options, kind="timing", ranks=size)
    for case in run.cases:
        if case.absent:
            raise InputError(f"--trainers {case.trainer}", f"cannot run here: {case.absent}")
    return run


def _scaling_cases(run: Run, workload: Workload, trainer: str, every: Any, groups: dict[int, Any]) -> list[ScalingCase]:
    """Return the cases of strong scaling, then of weak scaling: `nielsen-x2` is nielsen over two ranks with doubled mini-batches."""
    most = len(workload.data(run.inputs.splits))
    grown = {size: replace(workload, name=f"{workload.name}-x{size}", batch_size=size * workload.batch_size) for size in groups if size > 1}
    wanted = [(workload, size) for size in groups] + [(job, size) for size, job in grown.items() if job.batch_size <= most]
    return [ScalingCase(Case(job, trainer, None), size, groups[size], every.rank < size) for job, size in wanted]


def _verified(run: Run, every: Any, cases: Sequence[ScalingCase]) -> dict[ScalingCase, float]:
    """Return the supported cases with their largest errors. Return no cases if the trainer fails verification over any number of ranks."""
    verified, failed = {}, False
    for scaled in cases:
        error, wrong, absent = 0.0, "", ""
        if scaled.mine:
            try:
                error = run.inputs.verification(scaled.case).max_error(scaled.trainer())
            except VerificationError as failure:
                wrong = f"over {counted(scaled.size, 'rank')}: {failure}"
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
    """Time all cases in turn, record them, and return the seconds of their epochs by workload and number of ranks.

    If the trainer breaks its contract in any case, withdraw all its rows and return None on all ranks.
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
                    network, verification = trainer.network(), run.inputs.verification(scaled.case)
                    combined = [sum(getattr(peak, rate) for peak in peaks[: scaled.size]) for rate in ("flops", "bytes")]
                    accuracies = [network.accuracy(run.inputs.splits.test)] * len(seconds)
                    try:
                        data = scaled.case.data(run.inputs.splits)
                        run.recorder.record(
                            scaled.case, trainer, data, Epochs(seconds, accuracies, error, Conditions(others)), Peaks(*combined)
                        )
                        if not sweep:
                            verification.compute_epoch()
                            verification.check_epoch(network)
                    except ContractError as failure:
                        broken = f"over {counted(scaled.size, 'rank')}: {failure}"
                    times.setdefault((scaled.case.workload.name, scaled.size), []).extend(seconds)
                    name = f"{scaled.case} over {counted(scaled.size, 'rank')}"
                    LOG.info(f"[{sweep + 1}/{sweeps}] {name:<32}  {duration(float(np.median(seconds)))} per epoch")
                del trainer
            ranks.quiet_barrier(every)
            if broken := every.bcast(broken):
                for case in {scaled.case for scaled in cases}:
                    run.recorder.withdraw(case)
                _failed(run, scaled.case, broken)
                return None
    return times


def _epochs(run: Run, scaled: ScalingCase, rounds: int | None) -> tuple[Any, list[float]]:
    """Return a new trainer and the seconds of each timed epoch, after one warm-up epoch. Every epoch begins with the initial network."""
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
