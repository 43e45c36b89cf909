"""The first layer of the trainer `compiled`: products with images that are lists of their non-zero pixels (pixel_lists.py).

A small mini-batch is processed one example at a time. A large one is listed anew, by pairs of adjacent pixels: a pair's two vectors of
weights then stay in registers for all examples of a group, whose z or errors stay in the first-level cache. Two pixels cost one load and
one store of z, and most pixels that are not 0 have such a neighbour.
"""

from __future__ import annotations

import numpy as np

from impls.aligned import LINE
from impls.simd import add, constant, fetch, fma, inlined, internal, lanes, load, number, put, store, two_numbers, zeros
from impls.simd_sigmoid import sigmoid
from impls.thread_team import wait_for_all

UNROLLED = 4  # entries of single pixels that LLVM's loops process at once; the processor would mispredict the end of a remainder
_AHEAD = 10  # examples between a prefetch and its use
_ONE = constant(1)


@inlined
def feed_first_layer(part, parts, barrier, turn, size, order, first, lists, layer, pairs):
    """Compute a_1 = sigmoid(w_1 x + b_1) for all examples, together with the other threads; return the barrier's next turn."""
    if pairs is None:
        _feed_pixels(size, order, first, lists, layer)
    else:
        groups, length = pairs.records.shape[0], pairs.records.shape[2]
        for group in range(part * groups // parts, (part + 1) * groups // parts):
            _list_by_pair(group, group * length, min((group + 1) * length, size), order, first, lists, pairs)
        turn = wait_for_all(parts, barrier, turn)
        _feed_pairs(part, parts, size, lists.table, layer, pairs)
        turn = wait_for_all(parts, barrier, turn)
    return turn


@inlined
def add_to_first_layer(part, parts, size, order, first, lists, layer, pairs):
    """Add delta_1 x^T to w_1 (BP4)."""
    if pairs is None:
        _add_pixels(size, order, first, lists, layer)
    else:
        _add_pairs(part, parts, size, lists.table, layer, pairs)


@inlined
def _feed_pixels(size, order, first, lists, layer):
    """Compute a_1 = sigmoid(w_1 x + b_1), one example at a time. The length of every list is a multiple of UNROLLED."""
    w, b, a, lines = layer.w, layer.b, layer.a, layer.lines
    tiles, pixels, m, width = w.shape[0], w.shape[1], a.shape[1], len(lines) * lanes(w)
    for tile in range(tiles):
        row = tile * pixels
        for e in range(size):
            if tile == 0:
                _fetch_list(order, first + e + _AHEAD, lists)
            image = order[first + e]
            pixel = row
            even, odd = load(b, tile * width, lines), zeros(b, lines, _ONE)
            for k in range(lists.starts[image], lists.starts[image + 1], 2):
                step, value = two_numbers(lists.entries, 2 * k)
                pixel += np.intp(step)
                even = fma(_value(lists.table, value), load(w, pixel * width, lines), even)
                step, value = two_numbers(lists.entries, 2 * k + 2)
                pixel += np.intp(step)
                odd = fma(_value(lists.table, value), load(w, pixel * width, lines), odd)
            store(a, (tile * m + e) * width, sigmoid(add(even, odd)))


@inlined
def _add_pixels(size, order, first, lists, layer):
    """Add delta_1 x^T to w_1 (BP4), one example at a time."""
    w, delta, lines = layer.w, layer.delta, layer.lines
    tiles, pixels, m, width = w.shape[0], w.shape[1], delta.shape[1], len(lines) * lanes(w)
    for tile in range(tiles):
        for e in range(size):
            image = order[first + e]
            error = load(delta, (tile * m + e) * width, lines)
            pixel = tile * pixels
            for k in range(lists.starts[image], lists.starts[image + 1]):
                step, value = two_numbers(lists.entries, 2 * k)
                pixel += np.intp(step)
                at = pixel * width
                store(w, at, fma(_value(lists.table, value), error, load(w, at, lines)))


@inlined
def _list_by_pair(group, begin, end, order, first, lists, pairs):
    """List, for each pair of pixels, the examples `begin` to `end - 1` in which one of the pair is not 0, with both values."""
    counts, records, _ = pairs
    n_pairs, length = records.shape[1], records.shape[2]
    counts[group] = 0
    for e in range(begin, end):
        _fetch_list(order, first + e + _AHEAD, lists)
        image = order[first + e]
        pair = group * n_pairs
        for k in range(lists.starts[image], lists.starts[image + 1]):
            pair += np.intp(number(lists.entries, 3 * k))
            count = number(counts, pair)
            record = (pair * length + count) * 4
            left, right = number(lists.entries, 3 * k + 1), number(lists.entries, 3 * k + 2)
            put(records, record, e - begin)
            put(records, record + 1, left)
            put(records, record + 2, right)
            put(counts, pair, count + 1)


@internal
def _feed_pairs(part, parts, size, table, layer, pairs):
    """Compute a_1 = sigmoid(w_1 x + b_1), one pair of pixels at a time. Each thread computes some of the tiles."""
    w, a, lines = layer.w, layer.a, layer.lines
    counts, records, _ = pairs
    tiles, pixels, m, width = w.shape[0], w.shape[1], a.shape[1], len(lines) * lanes(w)
    n_pairs, length = records.shape[1], records.shape[2]
    for tile in range(part * tiles // parts, (part + 1) * tiles // parts):
        bias = load(layer.b, tile * width, lines)
        for group in range(-(-size // length)):
            begin, end = tile * m + group * length, tile * m + min((group + 1) * length, size)
            for e in range(begin, end):
                store(a, e * width, bias)
            for pair in range(n_pairs):
                listed, at = group * n_pairs + pair, (tile * pixels + 2 * pair) * width
                left, right = load(w, at, lines), load(w, at + width, lines)
                for record in range(listed * length * 4, (listed * length + number(counts, listed)) * 4, 4):
                    z = (begin + np.intp(number(records, record))) * width
                    sum_ = fma(_value(table, number(records, record + 1)), left, load(a, z, lines))
                    store(a, z, fma(_value(table, number(records, record + 2)), right, sum_))
            for e in range(begin, end):
                store(a, e * width, sigmoid(load(a, e * width, lines)))


@internal
def _add_pairs(part, parts, size, table, layer, pairs):
    """Add delta_1 x^T to w_1 (BP4), one pair of pixels at a time. Each thread changes some of the tiles.

    All examples are summed first, because each one's contribution can be tiny beside a weight.
    """
    w, delta, lines = layer.w, layer.delta, layer.lines
    counts, records, nabla_w = pairs
    tiles, pixels, m, width = w.shape[0], w.shape[1], delta.shape[1], len(lines) * lanes(w)
    n_pairs, length = records.shape[1], records.shape[2]
    groups = -(-size // length)
    for tile in range(part * tiles // parts, (part + 1) * tiles // parts):
        for group in range(groups):
            begin = tile * m + group * length
            for pair in range(n_pairs):
                listed, at, sum_at = group * n_pairs + pair, (tile * pixels + 2 * pair) * width, (part * pixels + 2 * pair) * width
                count = number(counts, listed)
                if count == 0 and groups == 1:
                    continue
                if group == 0:
                    left, right = zeros(w, lines, _ONE), zeros(w, lines, _ONE)
                else:
                    left, right = load(nabla_w, sum_at, lines), load(nabla_w, sum_at + width, lines)
                for record in range(listed * length * 4, (listed * length + count) * 4, 4):
                    error = load(delta, (begin + np.intp(number(records, record))) * width, lines)
                    left = fma(_value(table, number(records, record + 1)), error, left)
                    right = fma(_value(table, number(records, record + 2)), error, right)
                if group < groups - 1:
                    store(nabla_w, sum_at, left)
                    store(nabla_w, sum_at + width, right)
                else:
                    store(w, at, add(load(w, at, lines), left))
                    store(w, at + width, add(load(w, at + width, lines), right))


@inlined
def _value(table, entry):
    """Return the value of a pixel from a list."""
    if table is None:
        return entry
    return number(table, entry)


@inlined
def _fetch_list(order, soon, lists):
    """Prefetch about as much of an image's list as a list of mean length has.

    The order is shuffled, so the processor cannot predict the image. The same number of lines for every image costs less than branches that
    the processor cannot predict either.
    """
    last, entries = len(order) - 1, lists.entries
    fetch(lists.starts, order[min(soon + _AHEAD, last)])
    begin, mean = lists.starts[order[min(soon, last)]] * entries.shape[1], entries.size // (len(lists.starts) - 1)
    for k in range(begin, begin + mean, LINE // entries.itemsize):
        fetch(entries, k)
