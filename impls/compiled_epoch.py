"""The epoch of the trainer `compiled`, compiled by Numba.

Each of `parts` threads calls the epoch with its own `part`, and does its share of every step. The shares do not change the order of any
sum, so the result does not depend on the number of threads.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import FunctionType
from typing import Any

from numba import njit

from impls import aligned, compiled_layout, compiled_pixels, compiled_products, pixel_lists, simd, simd_blocks, simd_sigmoid, thread_team
from impls.compiled_pixels import add_to_first_layer, feed_first_layer
from impls.compiled_products import add_biases, add_products, feed_backward, feed_forward, output_error
from impls.thread_team import wait_for_all


def _epoch(part, parts, barrier, order, m, eta, lists, labels, layout):
    """Train on the examples in the order. The images are `lists` of PixelLists; m is the size of a mini-batch."""
    first_layer, pairs, upper, downward, output, y, no_bias = layout
    turn = 0
    for first in range(0, len(order), m):
        size = min(m, len(order) - first)
        begin, end = part * size // parts, (part + 1) * size // parts
        turn = feed_first_layer(part, parts, barrier, turn, size, order, first, lists, first_layer, pairs)
        feed_forward(begin, end, upper)
        output_error(begin, end, order, first, labels, y, -eta / size, output)
        feed_backward(begin, end, downward, no_bias)
        turn = wait_for_all(parts, barrier, turn)
        add_products(part, parts, size, upper)
        add_biases(part, parts, size, first_layer)
        add_to_first_layer(part, parts, size, order, first, lists, first_layer, pairs)
        turn = wait_for_all(parts, barrier, turn)


def _compiled() -> Any:
    """Return the compiled epoch, under a name that distinguishes versions in Numba's cache.

    The cache checks this file alone, so the name includes a hash of the imported modules, and of those that define the arguments.
    """
    modules = (simd, simd_blocks, simd_sigmoid, aligned, thread_team, pixel_lists, compiled_layout, compiled_pixels, compiled_products)
    imported = b"".join(Path(module.__file__ or "").read_bytes() for module in modules)
    name = f"_epoch_{hashlib.sha256(imported).hexdigest()[:8]}"
    function = FunctionType(_epoch.__code__, globals(), name)
    function.__qualname__ = name
    # Without NRT, Numba does not count references to arrays: each count is an atomic instruction, which waits for all stores before it.
    options = {"nogil": True, "error_model": "numpy", "_nrt": False}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # no writable directory for the cache (NUMBA_CACHE_DIR sets one), so each process compiles
        return njit(**options)(function)


train_epoch = _compiled()
