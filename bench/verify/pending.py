"""Does a trainer return from an epoch before its work is done? Then reading its weights has to wait for the rest.

A device that nobody waited for and a thread that is joined later look alike from here: the first reading takes longer than a second.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a worker uses this with the trainers of any revision
    from impls import Network, Trainer

# The first reading may take longer for another reason: the weights have left the caches. That is up to 0.2 ms on `nielsen` and `wide`,
# where an epoch takes 20 ms and more.
_SHARE = 0.25
_SECONDS = 1e-3
TRIES = 8  # epochs of which the quickest reading counts: the machine does something else at times


def look(trainer: Trainer) -> tuple[Network, float]:
    """Return the network right after an epoch, and the seconds that reading it took longer than reading it again."""
    began = time.perf_counter()
    network = trainer.network()
    read = time.perf_counter()
    trainer.network()
    return network, (read - began) - (time.perf_counter() - read)


def early(left: float, seconds: float) -> bool:
    """Return whether so many seconds of work are left after an epoch of so many that it has returned too early."""
    return left > max(_SECONDS, _SHARE * seconds)
