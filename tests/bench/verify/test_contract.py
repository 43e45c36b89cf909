"""Each check of the contract raises its own error, and only then."""

import numpy as np
import pytest

from bench.machine.roofline import Peaks, Work
from bench.verify.contract import (
    ContractMonitor,
    EarlyReturnError,
    InputsChangedError,
    NotFiniteError,
    NotReproducibleError,
    check_finished,
    check_finite,
    check_loading,
    check_possible,
    check_repeats,
    unchanged,
)
from impls import Network

START = Network([np.zeros((2, 3))], [np.zeros((2, 1))])


def trained(by):
    return Network([np.full((2, 3), by)], [np.full((2, 1), by)])


def test_pending_work_in_the_typical_epoch_is_an_early_return():
    check_finished([0.1], [0.0], lambda: pytest.fail("trained a further epoch"))
    check_finished([0.1], [0.09], lambda: 0.0)  # one reading was delayed
    check_finished([0.1] * 9, [0.0] * 5 + [0.09] * 4, lambda: pytest.fail("trained a further epoch"))
    for pending in ([0.09], [0.0] + [0.09] * 8):  # the first epoch may be right
        with pytest.raises(EarlyReturnError):
            check_finished([0.1] * len(pending), pending, lambda: 0.08)


def test_an_epoch_trained_in_load_is_an_early_return():
    def never():
        pytest.fail("loaded again")

    check_loading([0.1, 0.1], [], 100_000, never)
    check_loading([0.1, 0.1], [0.5, 0.002, 0.003], 100_000, never)  # the first one compiles
    check_loading([0.1, 0.1], [0.4, 0.4], 80_000_000, never)  # a large network
    check_loading([0.004], [0.006], 100_000, lambda: 0.001)  # one reading was delayed
    with pytest.raises(EarlyReturnError, match="50"):
        check_loading([0.1, 0.1], [0.05, 0.05], 100_000, lambda: 0.05)


class Drifts:
    """A trainer whose epochs end at these weights in turn, and then at 1.5."""

    batch_size = 3

    def __init__(self, *ends):
        self.ends = iter(ends)

    def network(self):
        return trained(self.end)

    def load(self, _):
        pass

    def train_epoch(self, _):
        self.end = next(self.ends, 1.5)


@pytest.mark.parametrize(("wrong", "error"), [(1.5, NotReproducibleError), (np.nan, NotFiniteError)])
def test_the_result_farthest_from_the_first_is_checked(wrong, error):
    trainer = Drifts(1.0, wrong, 1.2)
    monitor = ContractMonitor(trainer, START, np.arange(6))
    for _ in range(3):
        trainer.train_epoch(None)
        monitor.observe()
    with pytest.raises(error):
        monitor.check([0.1] * 3, repeated=True)


def test_epochs_above_the_peak_are_an_early_return():
    work, peaks = Work(flops=1_000_000, bytes=0), Peaks(flops=1e9, bytes=1e9)
    check_possible([0.001, 0.0005, 0.0001], work, peaks)  # twice the peak
    with pytest.raises(EarlyReturnError, match=r"\b250 us\b.*\b1\.00 ms\b"):
        check_possible([0.00025], work, peaks)


def test_epochs_further_apart_than_rounding_are_not_reproducible():
    first, last = trained(1.0), trained(1.01)
    check_repeats(first, first, START, lambda: pytest.fail("trained a further epoch"))
    check_repeats(first, last, START, lambda: trained(1.02))  # rounding leads as far
    with pytest.raises(NotReproducibleError):
        check_repeats(first, last, START, lambda: last)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_numbers_are_not_finite(value):
    check_finite(trained(1.0))
    with pytest.raises(NotFiniteError):
        check_finite(trained(value))


def test_changed_inputs_are_named_even_if_the_trainer_failed():
    order = np.arange(3)

    def fail(change):
        order[0] += change
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), unchanged(order=[order]):
        fail(change=0)
    with pytest.raises(InputsChangedError, match="order"), unchanged(order=[order]):
        fail(change=1)
