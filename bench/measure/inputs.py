"""Inputs of a run's cases (data, initial weights, order), and their verification."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from bench.measure.case import Case
from bench.verify.contract import InputsChangedError, unchanged
from bench.verify.verification import Verification
from bench.workload import Workload
from impls import Network, Splits


class Inputs:
    """The data of a run, which no trainer may change, and one verification per workload, created on first use."""

    def __init__(self, load: Callable[[], Splits]) -> None:
        """Load the data.

        load  loads the data; called again after a trainer has changed it
        """
        self._load = load
        self.splits = load()
        self._verifications: dict[Workload, Verification] = {}

    @contextmanager
    def guarded(self, case: Case) -> Iterator[tuple[Network, npt.NDArray[np.int64]]]:
        """Yield the initial network and the order of the case's epoch.

        Raises InputsChangedError on exit if the trainer has changed them or the data. The data is then loaded again for the next case.
        """
        data, test, start = case.data(self.splits), self.splits.test, case.start(self.splits)
        order = data.order(seed=case.workload.seed)
        images, labels, weights = [data.images, test.images], [data.labels, test.labels], [*start.weights, *start.biases]
        try:
            with unchanged(images=images, labels=labels, order=[order], weights=weights):
                yield start, order
        except InputsChangedError:
            self.splits = self._load()
            self._verifications.clear()
            raise

    def verification(self, case: Case) -> Verification:
        """Return the verification of the case's workload. Raises VerificationError if its oracle is wrong."""
        if case.workload not in self._verifications:
            self._verifications[case.workload] = Verification(case.workload, self.splits)
        return self._verifications[case.workload]
