"""Does a trainer keep its contract while it is timed? Observed after each timed epoch, judged when all are over."""

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

_TRIES = 8  # epochs of which the least pending work counts: the machine does something else at times


class ContractError(Exception):
    """A trainer broke a promise of `impls.trainer.Trainer`. The message says what it does."""


class InputsChangedError(ContractError):
    """The trainer changed arrays that it was given."""


class ContractMonitor:
    """Observes a trainer between its timed epochs.

    start  the weights that it is given
    order  the order that it is given
    """

    def __init__(self, trainer: Trainer, start: Network, order: Order) -> None:
        self._trainer, self._start, self._order = trainer, start, order
        self._pending: list[float] = []  # seconds of work, each time it was observed
        self._results: list[Network] = []  # the first and the last

    def observe(self) -> Network:
        """Observe it right after an epoch. Returns its network."""
        network, pending = observe(self._trainer)
        self._pending.append(pending)
        self._results[1:] = [network]
        return network

    def check(self, seconds: Sequence[float], *, repeated: bool) -> None:
        """Raise ContractError if it returned before its work was done, or its weights are not finite numbers.

        seconds   that its epochs took
        repeated  whether each was the same epoch from the start; then raise also if the last one's result is another than the first's
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
    """Raise ContractError if epochs return before their work is done.

    observed  of each epoch, the seconds that it took and the seconds of work that was pending when it had returned
    again     trains one more epoch and returns the same; called only to confirm what looks early
    """
    seen = list(observed)

    def least() -> tuple[float, float]:
        return min(pending for _, pending in seen), min(seconds for seconds, _ in seen)

    while returned_early(*least()) and len(seen) < _TRIES:
        seen.append(again())
    pending, seconds = least()
    if returned_early(pending, seconds):
        raise ContractError(f"returns before its work is done: {duration(pending)} of it are left then")


def check_repeats(first: Network, last: Network, start: Network, perturbed: Callable[[], Network]) -> None:
    """Raise ContractError if a trainer's first and last epoch from the start are further apart than rounding explains."""
    if difference := beyond_rounding(first, last, start, perturbed):
        raise ContractError(f"changes its answer while it is timed: its first and its last epoch end {describe(*difference)}")


def check_finite(network: Network) -> None:
    """Raise ContractError if a weight or bias is not a finite number."""
    if not all(np.isfinite(array).all() for array in arrays(network)):
        raise ContractError("returns weights that are not finite numbers after an epoch")


@contextmanager
def unchanged(**given: Sequence[npt.NDArray[Any]]) -> Iterator[None]:
    """Raise InputsChangedError at the end, also of code that failed, if any of the arrays was changed, by its name here."""
    before = {name: _checksum(values) for name, values in given.items()}
    failure = None
    try:
        yield
    except Exception as error:
        failure = error
    changed = [name for name, values in given.items() if _checksum(values) != before[name]]
    if changed:
        raise InputsChangedError(f"changes the {' and the '.join(changed)} that it is given; it must copy them") from failure
    if failure:
        raise failure


def _checksum(values: Sequence[npt.NDArray[Any]]) -> list[int]:
    return [zlib.crc32(np.ascontiguousarray(array).data) for array in values]
