"""Conditions of a case while it was timed: other load, memory, energy, clock frequency, temperature, throttling."""

from __future__ import annotations

from typing import Any, NamedTuple

from bench.machine import energy_meter, sensors
from bench.machine.accelerators import sensed
from bench.machine.energy import Counters
from bench.machine.energy_meter import Joules
from bench.machine.load import Meter, Shares
from bench.machine.peak_memory import MemoryUse, PeakMemory
from bench.machine.sensors import Changes
from impls import Trainer


class Conditions(NamedTuple):
    """The conditions of some epochs. Their fields are columns of the CSV."""

    shares: Shares = Shares()
    memory: MemoryUse = MemoryUse()
    energy: Joules = Joules()
    changes: Changes = Changes()

    def columns(self) -> dict[str, Any]:
        """Return the columns by name."""
        return {name: value for part in self for name, value in part._asdict().items()}


class ConditionsMeter:
    """Measures the conditions of a case. Call its methods in this order; `begin_round` and `end_round` for each round."""

    def __init__(self, trainer: type[Trainer], counters: Counters | None) -> None:
        """Begin before the trainer is constructed. counters: of its device's energy, if it has any"""
        self._device = sensed(trainer)
        self._memory = PeakMemory(trainer.library)
        self._energy = energy_meter.Meter(counters) if counters else None

    def begin_epochs(self) -> None:
        """Begin before the first epoch."""
        self._load = Meter()

    def begin_rounds(self) -> None:
        """Begin immediately after a warm-up epoch, because the clock of an idle processor falls."""
        self._before = self._after = sensors.read(self._device)

    def begin_round(self) -> None:
        """Begin immediately before a round."""
        if self._energy:
            self._energy.begin()

    def end_round(self) -> None:
        """End immediately after a round."""
        if self._energy:
            self._energy.end()
        self._after = sensors.read(self._device)

    def result(self) -> Conditions:
        """Return the conditions after the last round. Their energy is empty if the rounds are too short for it."""
        used = self._energy.result() if self._energy and not self.too_short_for_energy else Joules()
        return Conditions(self._load.shares(), self._memory.result(), used, Changes.between(self._before, self._after))

    @property
    def too_short_for_energy(self) -> bool:
        """Whether there is a counter of energy, but the rounds are too short for its steps."""
        return self._energy is not None and self._energy.too_short
