"""Checks of the trainer contract during timing: observations after each timed epoch, a decision after the last."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter  # now, because a trainer might replace time.perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.machine.roofline import Peaks, Work
from bench.text.numbers import duration
from bench.verify.pending import observe, returned_early
from bench.verify.rounding import arrays, beyond_rounding, describe, distance, perturbed, same_bits
from impls import Network, Trainer
from impls.trainer import Order

_TRIES = 8  # observed epochs that an early return needs, because a busy machine can delay a single reading

# Copying weights to any device takes less than this time for the call, less than a second for so many bytes, and a small share of an epoch.
_LOAD_SECONDS, _LOAD_RATE, _LOAD_SHARE = 5e-3, 2e8, 0.25

# An epoch at more than this multiple of the measured peak is impossible. Not 1: BLAS may use kernels for an older processor, at half the
# speed, and the machine may be busy while the peak is measured.
_IMPOSSIBLE = 3


class ContractError(Exception):
    """A trainer broke the contract of `impls.trainer.Trainer`. The message says how."""


class EarlyReturnError(ContractError):
    """The trainer returned from an epoch before its work was done, or faster than the machine can do it."""


class NotReproducibleError(ContractError):
    """Two epochs from the same weights end further apart than rounding explains."""


class NotFiniteError(ContractError):
    """A weight or bias is not a finite number after an epoch."""


class InputsChangedError(ContractError):
    """The trainer changed its input arrays."""


class ContractMonitor:
    """Observes a trainer between its timed epochs.

    start  initial weights of the trainer
    order  order of the examples
    """

    def __init__(self, trainer: Trainer, start: Network, order: Order) -> None:
        self._trainer, self._start, self._order = trainer, start, order
        self._pending: list[float] = []  # seconds of pending work, one per observation
        self._loading: list[float] = []  # seconds of each `load`
        self._first: Network | None = None
        self._other: Network | None = None  # of the results with other bits, the one farthest from the first
        self._farthest = 0.0

    def load(self) -> None:
        """Load the initial weights into the trainer, before an epoch."""
        began = perf_counter()
        self._trainer.load(self._start)
        self._loading.append(perf_counter() - began)

    def observe(self) -> Network:
        """Observe the trainer right after an epoch. Returns its network."""
        network, pending = observe(self._trainer)
        self._pending.append(pending)
        if self._first is None:
            self._first = network
        elif not same_bits(network, self._first):
            far = distance(network, self._first, self._start)
            far = math.inf if math.isnan(far) else far
            if self._other is None or far > self._farthest:
                self._other, self._farthest = network, far
        return network

    def check(self, seconds: Sequence[float], *, repeated: bool) -> None:
        """Raise ContractError if the trainer returned before its work was done, or its weights are not finite numbers.

        seconds   wall time of each epoch
        repeated  whether all epochs were the same; if so, raise also if a result differs from the first
        """
        first, other = self._first, self._other
        assert first is not None, "no epoch was observed"

        def again() -> float:
            self._train(self._start, self._order)
            return self._pending[-1]

        check_finished(seconds, self._pending, again)
        check_loading(seconds, self._loading, sum(array.nbytes for array in arrays(self._start)), self._load_again)
        for network in (first, other or first):
            check_finite(network)
        if repeated and other is not None:
            check_repeats(first, other, self._start, lambda: self._perturbed(other))

    def _load_again(self) -> float:
        self.load()
        return self._loading[-1]

    def _perturbed(self, last: Network) -> Network:
        return self._train(*perturbed(self._start, last, self._order, self._trainer.batch_size))

    def _train(self, start: Network, order: Order) -> Network:
        self._trainer.load(start)
        self._trainer.train_epoch(order)
        return self.observe()


def check_finished(seconds: Sequence[float], pending: Sequence[float], again: Callable[[], float]) -> None:
    """Raise EarlyReturnError if the typical epoch returns before its work is done.

    seconds  wall time of each epoch
    pending  seconds of pending work at the return of each observed epoch
    again    trains one more epoch and returns its pending work; called only to confirm an early return
    """
    seen, typical = list(pending), float(np.median(seconds))
    while returned_early(float(np.median(seen)), typical) and len(seen) < _TRIES:
        seen.append(again())
    if returned_early(left := float(np.median(seen)), typical):
        raise EarlyReturnError(f"returns before its work is done: {duration(left)} of work were pending")


def check_loading(seconds: Sequence[float], loading: Sequence[float], size: int, again: Callable[[], float]) -> None:
    """Raise EarlyReturnError if `load`, which is not timed, takes so long that it probably does a part of the epoch.

    seconds, loading  wall time of each epoch, and of each `load`
    size              bytes of the weights and biases
    again             loads once more and returns its seconds; called only to confirm
    """
    seen, allowed = list(loading), max(_LOAD_SECONDS + size / _LOAD_RATE, _LOAD_SHARE * float(np.median(seconds)))
    while seen and float(np.median(seen)) > allowed and len(seen) < _TRIES:
        seen.append(again())
    if seen and (typical := float(np.median(seen))) > allowed:
        raise EarlyReturnError(f"loads weights in {duration(typical)}, which is not timed; do the work of an epoch in `train_epoch`")


def is_possible(seconds: Sequence[float], work: Work, peaks: Peaks) -> bool:
    """Return whether a machine with these peaks can do the work of an epoch in its median wall time."""
    return work.flops <= _IMPOSSIBLE * peaks.flops * float(np.median(seconds))


def check_possible(seconds: Sequence[float], work: Work, peaks: Peaks) -> None:
    """Raise EarlyReturnError unless the epochs are possible."""
    if not is_possible(seconds, work, peaks):
        epoch, least = duration(float(np.median(seconds))), duration(work.flops / peaks.flops)
        raise EarlyReturnError(
            f"returns too soon: {epoch} per epoch, but its operations take {least} at this machine's peak; compute all of them in "
            "`train_epoch`, or declare `skips_zeros`"
        )


def check_repeats(first: Network, other: Network, start: Network, perturbed: Callable[[], Network]) -> None:
    """Raise NotReproducibleError if the results of two epochs differ by more than rounding explains."""
    if difference := beyond_rounding(first, other, start, perturbed):
        raise NotReproducibleError(f"is not reproducible: two epochs from the same weights end {describe(*difference)}")


def check_finite(network: Network) -> None:
    """Raise NotFiniteError if a weight or bias is not a finite number."""
    if not all(np.isfinite(array).all() for array in arrays(network)):
        raise NotFiniteError("returns weights that are not finite numbers after an epoch")


@contextmanager
def unchanged(**given: Sequence[npt.NDArray[Any]]) -> Iterator[None]:
    """Raise InputsChangedError on exit if the code changed an array, even if the code failed. The message contains the array's keyword."""
    before = {name: _checksum(values) for name, values in given.items()}
    failure = None
    try:
        yield
    except Exception as error:
        failure = error
    changed = [name for name, values in given.items() if _checksum(values) != before[name]]
    if changed:
        raise InputsChangedError(f"changes its inputs: {', '.join(changed)}; copy them") from failure
    if failure:
        raise failure


def _checksum(values: Sequence[npt.NDArray[Any]]) -> list[int]:
    return [zlib.crc32(np.ascontiguousarray(array).data) for array in values]
