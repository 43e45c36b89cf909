"""Detection of epochs that return before their work is done.

If a device or a thread is still working, the first read of the weights waits for it, and takes longer than the second.
"""

from __future__ import annotations

from time import perf_counter  # now, because a trainer might replace time.perf_counter

from impls import Network, Trainer  # a worker may have the impls of another revision

# The first read may also take longer because the weights have left the caches. That costs up to 0.2 ms on `nielsen` and `wide`, whose
# epochs take 20 ms or more.
_SHARE = 0.25
_SECONDS = 1e-3


def observe(trainer: Trainer) -> tuple[Network, float]:
    """Return the network right after an epoch, and the seconds of pending work: the time of the first read minus the second."""
    began = perf_counter()
    network = trainer.network()
    read = perf_counter()
    trainer.network()
    return network, (read - began) - (perf_counter() - read)


def returned_early(pending: float, seconds: float) -> bool:
    """Return whether an epoch of `seconds` returned too early, given its seconds of pending work."""
    return pending > max(_SECONDS, _SHARE * seconds)
