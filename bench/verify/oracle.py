"""Does a trainer compute the same as the book's algorithm? Asked before anything is timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bench.machine.roofline import epoch_work
from bench.verify.epoch_job import Job
from bench.workload import Workload
from impls import Network, Splits, Trainer, load_trainer
from impls.network import Array

# Of the distance that the oracle trains, per array. Correct trainers differ by rounding alone: over these few steps by 2e-4 at
# most in float32 and 2e-14 in float64, on the named workloads. A missing 1/m, a stale bias or a skipped example is off by 1e-2 or more.
TOLERANCE = {"float32": 1e-3, "float64": 1e-9}

# Above this much work the oracle is `matrix`, minutes would pass otherwise; and it is held to `loop` on this much of it first.
_LOOP_FLOPS = 20e9
_FURTHER = 3  # times as far as rounding was seen to lead, so far may two results be apart


class ContractError(Exception):
    """A trainer broke a promise of `impls.trainer.Trainer`. The message says what it does."""


class VerificationError(ContractError):
    """The trainer does not compute what the oracle computes. The message says by how much."""


def trained(name: str, job: Job) -> Network:
    """Train the job with the trainer of that name, here, and return where it ends."""
    return _train(load_trainer(name), job)


def steps(workload: Workload, splits: Splits) -> Job:
    """Return the steps by which a trainer is verified: a few of the workload's own, from its start.

    They are 2 to 40 whole mini-batches, about 200 examples, and a short last mini-batch where there can be one. No more than that: each
    step amplifies the rounding of those before it, in a correct trainer too.
    """
    data, m = workload.data(splits), workload.batch_size
    data = data.first(min(len(data), min(max(2, 200 // m), 40) * m + m // 2))
    return Job(workload.network(data), data, data.order(seed=workload.seed), m, workload.learning_rate)


class Oracle:
    """The right answer for one workload: where its `steps` lead in float64, by the loop or, where that would take minutes, by `matrix`.

    `matrix` must first end where the loop does, on fewer examples.
    """

    def __init__(self, workload: Workload, splits: Splits, train: Callable[[str, Job], Network] = trained, *, whose: str = "") -> None:
        """Compute the answer.

        train  trains a job with one of the ladder's trainers
        whose  what messages add to the oracle's name, where it is not the code that runs here
        Raises VerificationError if `matrix` is needed and is no oracle.
        """
        self._job = steps(workload, splits)  # and the answer is known before a trainer has the data in its hands
        exact = replace(self._job, start=self._job.start.astype(np.float64))
        each = epoch_work(exact.start.layers, len(exact.data), 8).flops / len(exact.data)
        by_loop = int(_LOOP_FLOPS / each)  # examples
        self._name = f"the float64 loop{whose}"
        if by_loop < len(exact.data):
            few = exact.data.first(max(1, by_loop))
            short = replace(exact, data=few, order=few.order(seed=workload.seed))
            self._check(train("matrix", short), train("loop", short), short, "matrix, the oracle of so large a workload, ")
            self._name = f"the float64 matrix{whose}"
        self._answer = train("loop" if by_loop >= len(exact.data) else "matrix", exact)

    def max_error(self, trainer: type[Trainer]) -> float:
        """Train a fresh trainer on the oracle's steps and return its `error`."""
        return self.error(_train(trainer, self._job))

    def error(self, result: Network) -> float:
        """Return the `distance` of a network trained on the oracle's steps from the oracle's.

        Raises VerificationError if that is above the dtype's TOLERANCE, or not a number.
        """
        return self._check(result, self._answer, self._job)

    def _check(self, result: Network, answer: Network, job: Job, who: str = "") -> float:
        error, dtype = distance(result, answer, job.start), job.start.dtype.name
        if not error <= TOLERANCE[dtype]:  # so that NaN fails too
            raise VerificationError(
                f"{who}does not compute what {self._name} computes: after {len(job.data)} examples it is off by {error:.1e} of "
                f"the distance trained; {TOLERANCE[dtype]:.0e} is allowed in {dtype}"
            )
        return error


def apart(one: Network, other: Network, start: Network, shaken: Callable[[], Network]) -> tuple[float, float] | None:
    """Return how far apart two results of one epoch are and how much of it rounding explains, if it does not explain all; else None.

    start   where both began
    shaken  trains the other's epoch once more as `rounding.shaken` has it; asked only if they are further apart than verification allows
    Both figures are a `distance`; so far apart are trainers that do different things, or one that does not always do the same.
    """
    if all(np.array_equal(p, right) for p, right in zip(_arrays(one), _arrays(other), strict=True)):
        return None  # as most are, and seen sooner than a distance
    found, allowed = distance(one, other, start), TOLERANCE[start.dtype.name]
    if found <= allowed:
        return None
    rounding = distance(shaken(), other, start)
    return None if found <= allowed + _FURTHER * rounding else (found, rounding)


def told(found: float, rounding: float) -> str:
    """Return in words what `apart` returned."""
    return f"{found:.1e} of the distance trained apart, of which rounding explains {rounding:.1e}"


def check_repeats(first: Network, last: Network, start: Network, shaken: Callable[[], Network]) -> None:
    """Raise ContractError if a trainer's first and last epoch from the start are `apart`."""
    if far := apart(first, last, start, shaken):
        raise ContractError(f"changes its answer while it is timed: its first and its last epoch end {told(*far)}")


def check_finite(network: Network) -> None:
    """Raise ContractError if a weight or bias is no number."""
    if not all(np.isfinite(array).all() for array in _arrays(network)):
        raise ContractError("returns weights that are not finite numbers after an epoch")


def distance(one: Network, other: Network, start: Network) -> float:
    """Return how far two networks that were trained from one start are apart: the largest over the weights and biases of all layers.

    For an array p it is |p - p*| / |p* - p_0|: its distance from the other's, relative to how far the other's moved.
    """
    each = [
        _norm(p - right) / max(_norm(right - before), np.finfo(float).tiny)
        for p, right, before in zip(*(_arrays(network.astype(np.float64)) for network in (one, other, start)), strict=True)
    ]
    return float(np.max(each))  # NaN if any is, which Python's max passes over


def _train(trainer: type[Trainer], job: Job) -> Network:
    run = trainer(Network(job.start.weights, job.start.biases), job.data, batch_size=job.batch_size, learning_rate=job.learning_rate)
    run.train_epoch(job.order.copy())
    return run.network()


def _arrays(network: Network) -> list[Array]:
    return [*network.weights, *network.biases]


def _norm(array: Array) -> float:
    return float(np.linalg.norm(array))
