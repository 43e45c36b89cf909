"""Does a trainer keep its word while it is timed? Looked at after each timed epoch, and judged when all are over."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.text.numbers import duration
from bench.verify.oracle import ContractError, check_finite, check_repeats
from bench.verify.pending import TRIES, early, look
from bench.verify.rounding import shaken
from impls import Network, Trainer
from impls.trainer import Order


class Conduct:
    """What is seen of a trainer between its timed epochs.

    start  the weights that it is given
    order  the order that it is given
    """

    def __init__(self, trainer: Trainer, start: Network, order: Order) -> None:
        self._trainer, self._start, self._order = trainer, start, order
        self._left: list[float] = []  # seconds that were left to be done, when it was looked at
        self._results: list[Network] = []  # the first and the last

    def look(self) -> Network:
        """Look at it right after an epoch. Returns its network."""
        network, left = look(self._trainer)
        self._left.append(left)
        self._results[1:] = [network]
        return network

    def check(self, seconds: Sequence[float], *, repeated: bool) -> None:
        """Raise ContractError if it returned before its work was done, or its weights are no numbers.

        seconds   that its epochs took
        repeated  whether each was the same epoch from the start; then raise also if the last one's result is another than the first's
        """
        first, last = self._results[0], self._results[-1]
        check_finite(last)
        quickest = min(seconds)
        while early(min(self._left), quickest) and len(self._left) < TRIES:
            self._again(self._start, self._order)
        if early(left := min(self._left), quickest):
            raise ContractError(f"returns before its work is done: {duration(left)} of it are left then")
        if repeated:
            check_repeats(first, last, self._start, lambda: self._again(*shaken(self._start, last, self._order, self._trainer.batch_size)))

    def _again(self, start: Network, order: Order) -> Network:
        self._trainer.load(start)
        self._trainer.train_epoch(order)
        return self.look()


class InputsChangedError(ContractError):
    """The trainer changed arrays of the caller's."""


@contextmanager
def unchanged(**given: Sequence[npt.NDArray[Any]]) -> Iterator[None]:
    """Raise InputsChangedError at the end, also of code that failed, if any of the arrays was changed, by its name here."""
    before = {name: _checksum(arrays) for name, arrays in given.items()}
    failure = None
    try:
        yield
    except Exception as error:
        failure = error
    changed = [name for name, arrays in given.items() if _checksum(arrays) != before[name]]
    if changed:
        raise InputsChangedError(f"changes the {' and the '.join(changed)} that it is given; it must copy them") from failure
    if failure:
        raise failure


def _checksum(arrays: Sequence[npt.NDArray[Any]]) -> list[int]:
    return [zlib.crc32(np.ascontiguousarray(array).data) for array in arrays]
