"""Does a trainer return from an epoch before its work is done? Then reading its weights has to wait for the rest.

A device that is not waited for and a thread that is joined later look alike from here: the first reading takes longer than a second.
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


def observe(trainer: Trainer) -> tuple[Network, float]:
    """Return the network right after an epoch, and the seconds of pending work: how much longer reading it took than reading it again."""
    began = time.perf_counter()
    network = trainer.network()
    read = time.perf_counter()
    trainer.network()
    return network, (read - began) - (time.perf_counter() - read)


def returned_early(pending: float, seconds: float) -> bool:
    """Return whether so many seconds of work pending after an epoch of so many mean that it has returned too early."""
    return pending > max(_SECONDS, _SHARE * seconds)
