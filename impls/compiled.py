"""The loop of loop.py, compiled by Numba: one compiled function trains an epoch.

What makes it fast, and how many times as long an epoch takes without it (one core of a Zen 4, float32):
- It visits only the pixels that are not 0, a fifth of MNIST's (compiled_pixels.py).
- In a large mini-batch, it visits them in pairs. A pair's weights stay in registers for up to 100 examples: `wide` 1.41, `large` 1.53.
- A tile of units fits the layer: 100 units are padded to 112, not to 128 (compiled_layout.py): `wide` 1.31, `large` 1.20, `deep` 1.06.
- The list of an image consists of bytes (pixel_lists.py): numbers of values, `nielsen` 1.11, `wide` 1.18, `large` 1.17; steps between
  pixels, `nielsen` 1.09, `wide` 1.04.
- It prefetches an image's list before its turn: `nielsen` 1.35, `wide` 1.19.
- No references are counted, and short functions are inlined (compiled_epoch.py, simd.py): `nielsen` 1.06 each.
- Dense products fill the registers, and run at the peak of the core (compiled_products.py).
- Threads spin at a barrier (thread_team.py). The constructor measures how many are best. With two, `wide` takes 0.74, `large` 0.61.
These gained nothing: pixels in tiles that fit into the first-level cache, two examples at once, a step and the next forward pass together,
alternating directions, other strides, huge pages.

results/amd-epyc-zen4-2-core/versus.md has the figures, their commits, and what bounds the rest.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numba
import numpy as np

from impls.compiled_epoch import train_epoch
from impls.compiled_layout import Layout, adds_directly, layout, network_of, set_weights
from impls.compiled_pixels import UNROLLED
from impls.dataset import Dataset
from impls.network import Network
from impls.pixel_lists import pixel_lists, with_zeros
from impls.thread_team import Team
from impls.trainer import Order, Trainer

_LONG = 3e-3  # seconds: a step that takes one thread this long is shared by all threads, without measurements
_MEASUREMENT = 30e-3  # seconds, or an epoch if that is shorter: to wake the other threads can take half a millisecond
_MEASUREMENTS = 5  # of each number of threads; the shortest counts


class Compiled(Trainer):
    """Trains in compiled code on the host, on images stored as lists of their non-zero pixels (pixel_lists.py).

    compiled_layout.py documents the other arrays.
    """

    library = "numba"
    skips_zeros = True

    @classmethod
    def unavailable(cls) -> str | None:
        return "Numba: NUMBA_DISABLE_JIT turns off compilation; unset it" if numba.config.DISABLE_JIT else None

    def _setup(self, data: Dataset) -> None:
        self._m = min(self.batch_size, self.examples)
        self._direct = adds_directly(self.layers, self._m, self.dtype)
        images = data.images.astype(self.dtype)
        span, multiple = (1, UNROLLED) if self._direct else (2, 1)
        self._lists = self._sparse = pixel_lists(images, span, multiple=multiple)
        self._labels = data.labels.astype(np.min_scalar_type(data.classes))
        self._team, self._layout = self._fastest()
        self.chosen_threads = self._team.size

    def _set_weights(self, network: Network) -> None:
        # 0 times NaN or infinity is NaN, so with such a weight the pixels of value 0 contribute, too.
        finite = bool(np.isfinite(network.weights[0]).all())
        self._lists = self._sparse if finite else with_zeros(self._sparse, self._layout.first.w.shape[1])
        set_weights(self._layout, network)

    def network(self) -> Network:
        return network_of(self._layout, self.layers)

    def _epoch(self, order: Order) -> None:
        self._run(self._team, self._layout, order.astype(np.int64))

    def _run(self, team: Team, arrays: Layout, order: Any) -> None:
        eta = self.dtype.type(self.learning_rate)
        team.run(train_epoch, order, self._m, eta, self._lists, self._labels, arrays)

    def _fastest(self) -> tuple[Team, Layout]:
        """Return the team of threads with the shortest steps, and the arrays laid out for it: 1, 2, 4 ... threads as long as that helps.

        Without lists by pair, one thread computes: the steps are too short to share.
        """
        most = 1 if self._direct else numba.get_num_threads()
        best = self._laid_out(1)
        while best[0].size < most:
            step = min(self._seconds(best, 1) for _ in range(3))
            if step > _LONG:
                return self._laid_out(most)
            other, steps = self._laid_out(min(2 * best[0].size, most)), math.ceil(_MEASUREMENT / step)
            # In turn, so that a slow moment of the machine slows down both.
            seconds = [(self._seconds(best, steps), self._seconds(other, steps)) for _ in range(_MEASUREMENTS)]
            if min(second for _, second in seconds) >= min(first for first, _ in seconds):
                break
            best = other
        return best

    def _laid_out(self, threads: int) -> tuple[Team, Layout]:
        """Return a team of this many threads, and arrays for it; compile the epoch, or load it from Numba's cache."""
        candidate = Team(threads), layout(self.layers, self._m, self.dtype, threads, self._sparse.entries.dtype)
        self._run(*candidate, np.empty(0, np.int64))
        return candidate

    def _seconds(self, candidate: tuple[Team, Layout], steps: int) -> float:
        """Return how long so many steps take."""
        order = np.arange(min(self.examples, steps * self._m))
        start = time.perf_counter()
        self._run(*candidate, order)
        return time.perf_counter() - start
