"""Keys of the run and its watchdog in pytest's configuration."""

from __future__ import annotations

import pytest

from bench.measure.run import Run
from bench.measure.watchdog import Watchdog

RUN = pytest.StashKey[Run]()
WATCHDOG = pytest.StashKey[Watchdog]()
