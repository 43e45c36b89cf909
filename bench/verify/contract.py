"""Checks of the trainer contract during timing: observations after each timed epoch, a decision after the last."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.text.numbers import duration
from bench.verify.pending import observe, returned_early
from bench.verify.rounding import arrays, beyond_rounding, describe, perturbed
from impls import Network, Trainer
from impls.trainer import Order

_TRIES = 8  # maximum number of observed epochs; the least pending work counts, because a busy machine can delay a single reading


class ContractError(Exception):
    """A trainer broke the contract of `impls.trainer.Trainer`. The message says how."""


class EarlyReturnError(ContractError):
    """The trainer returned from an epoch before its work was done, or faster than the machine can do it."""


class NotReproducibleError(ContractError):
    """The trainer's first and last epoch from the same weights end further apart than rounding explains."""


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
        self._results: list[Network] = []  # first and last result

    def observe(self) -> Network:
        """Observe the trainer right after an epoch. Returns its network."""
        network, pending = observe(self._trainer)
        self._pending.append(pending)
        self._results[1:] = [network]
        return network

    def check(self, seconds: Sequence[float], *, repeated: bool) -> None:
        """Raise ContractError if the trainer returned before its work was done, or its weights are not finite numbers.

        seconds   wall time of each epoch
        repeated  whether all epochs were the same; if so, raise also if the last result differs from the first
        """
        first, last = self._results[0], self._results[-1]
        quickest = min(seconds)

        def again() -> tuple[float, float]:
            self._train(self._start, self._order)
            return quickest, self._pending[-1]

        check_finished([(quickest, pending) for pending in self._pending], again)
        check_finite(last)
        if repeated:
            check_repeats(first, last, self._start, lambda: self._perturbed(last))

    def _perturbed(self, last: Network) -> Network:
        return self._train(*perturbed(self._start, last, self._order, self._trainer.batch_size))

    def _train(self, start: Network, order: Order) -> Network:
        self._trainer.load(start)
        self._trainer.train_epoch(order)
        return self.observe()


def check_finished(observed: Sequence[tuple[float, float]], again: Callable[[], tuple[float, float]]) -> None:
    """Raise EarlyReturnError if epochs return before their work is done.

    observed  for each epoch, its wall time and the pending work at its return, both in seconds
    again     trains one more epoch and returns the same two numbers; called only to confirm an early return
    """
    seen = list(observed)

    def least() -> tuple[float, float]:
        return min(pending for _, pending in seen), min(seconds for seconds, _ in seen)

    while returned_early(*least()) and len(seen) < _TRIES:
        seen.append(again())
    pending, seconds = least()
    if returned_early(pending, seconds):
        raise EarlyReturnError(f"returns before its work is done: {duration(pending)} of work were pending")


def check_repeats(first: Network, last: Network, start: Network, perturbed: Callable[[], Network]) -> None:
    """Raise NotReproducibleError if the results of the first and the last epoch differ by more than rounding explains."""
    if difference := beyond_rounding(first, last, start, perturbed):
        raise NotReproducibleError(f"is not reproducible: its first and last epoch end {describe(*difference)}")


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
