"""The layers above the first of the trainer `compiled`: dense products, whose kernel fills the registers.

A kernel computes a block: some examples' sums for a tile of units. For each input, it loads a vector of weights once, and multiplies it
by a number of each example. So there are far more multiplications than loads, and the sums stay in registers.
"""

from __future__ import annotations

from numba import literal_unroll

from impls.simd import add, constant, inlined, lanes, load, store, zeros
from impls.simd_blocks import load_block, outer, repeat, store_block, transpose
from impls.simd_sigmoid import difference_times, sigmoid, times_sigmoid_prime

_ONE = constant(1)


@inlined
def feed_forward(begin, end, layers):
    """Compute a_l = sigmoid(w_l a_{l-1} + b_l) for examples `begin` to `end - 1`, for all layers above the first."""
    if layers is not None:
        for layer in literal_unroll(layers):
            _multiply(begin, end, layer.lines, layer.rows, layer.inputs, layer.lines_below, layer.a_below, layer.w, layer.b, layer.a)
            width = len(layer.lines) * lanes(layer.a)
            for tile in range(layer.a.shape[0]):
                for e in range(begin, end):
                    at = (tile * layer.a.shape[1] + e) * width
                    store(layer.a, at, sigmoid(load(layer.a, at, layer.lines)))


@inlined
def output_error(begin, end, order, first, labels, y, step, output):
    """Compute delta_L = step (a_L - y) sigmoid'(z_L) (BP1). The step is -eta/m, so all deltas and gradients include this factor."""
    a, delta, lines = output.a, output.delta, output.lines
    width = len(lines) * lanes(a)
    for tile in range(a.shape[0]):
        for e in range(begin, end):
            at = (tile * a.shape[1] + e) * width
            activation, desired = load(a, at, lines), load(y, labels[order[first + e]] * y.shape[1] + tile * width, lines)
            store(delta, at, times_sigmoid_prime(difference_times(step, activation, desired), activation))


@inlined
def feed_backward(begin, end, layers, no_bias):
    """Compute delta_{l-1} = (w_l^T delta_l) sigmoid'(z_{l-1}) (BP2) for examples `begin` to `end - 1`, from the last layer."""
    if layers is not None:
        for layer in literal_unroll(layers):
            delta, a, lines = layer.delta_below, layer.a_below, layer.lines_below
            _multiply(begin, end, lines, layer.rows_below, layer.units, layer.lines, layer.delta, layer.w_transposed, no_bias, delta)
            width = len(lines) * lanes(a)
            for tile in range(a.shape[0]):
                for e in range(begin, end):
                    at = (tile * a.shape[1] + e) * width
                    store(delta, at, times_sigmoid_prime(load(delta, at, lines), load(a, at, lines)))


@inlined
def add_products(part, parts, size, layers):
    """Add delta_l a_{l-1}^T to w_l and to its transpose, and delta_l to b_l (BP4, BP3). Each thread changes some of the weights."""
    if layers is not None:
        for layer in literal_unroll(layers):
            _add_product(part, parts, size, layer)
            add_biases(part, parts, size, layer)


@inlined
def add_biases(part, parts, size, layer):
    """Add delta to b (BP3)."""
    b, delta, lines = layer.b, layer.delta, layer.lines
    tiles, m, width = delta.shape[0], delta.shape[1], len(lines) * lanes(delta)
    for tile in range(part * tiles // parts, (part + 1) * tiles // parts):
        nabla_b = zeros(b, lines, _ONE)
        for e in range(size):
            nabla_b = add(nabla_b, load(delta, (tile * m + e) * width, lines))
        store(b, tile * width, add(load(b, tile * width, lines), nabla_b))


@inlined
def _multiply(begin, end, lines, rows, inputs, lines_below, x, w, bias, out):
    """Compute out = w x + bias for examples `begin` to `end - 1`."""
    tiles, padded, m = out.shape[0], w.shape[1], out.shape[1]
    width, below = len(lines) * lanes(w), len(lines_below) * lanes(w)
    for tile in range(tiles):
        start = repeat(load(bias, tile * width, lines), rows)
        for new in range(begin, end, len(rows)):
            e = max(min(new, end - len(rows)), 0)  # the last block begins earlier, and stores its new rows only
            block = start
            for tile_below in range(x.shape[0]):
                j, at = tile_below * below, (tile_below * m + e) * below
                for lane in range(min(below, inputs - j)):
                    block = outer(x, at + lane, below, load(w, (tile * padded + j + lane) * width, lines), block)
            store_block(out, (tile * m + e) * width, width, block, lines, new - e, end - e)


@inlined
def _add_product(part, parts, size, layer):
    """Add delta a^T to w (BP4), and copy its tiles to the transpose.

    The examples are summed first, because each one's contribution can be tiny beside a weight.
    """
    w, transposed, a, delta, lines, rows = layer.w, layer.w_transposed, layer.a_below, layer.delta, layer.lines, layer.rows_step
    tiles, padded, tiles_below, m = w.shape[0], w.shape[1], a.shape[0], a.shape[1]
    width, below = len(lines) * lanes(w), len(layer.lines_below) * lanes(w)
    for task in range(part * tiles * tiles_below // parts, (part + 1) * tiles * tiles_below // parts):
        tile, tile_below = task // tiles_below, task % tiles_below
        first, inputs = tile * padded + tile_below * below, min(below, layer.inputs - tile_below * below)
        for new in range(0, inputs, len(rows)):
            j = max(min(new, inputs - len(rows)), 0)
            nabla = zeros(w, lines, rows)
            for e in range(size):
                nabla = outer(a, (tile_below * m + e) * below + j, 1, load(delta, (tile * m + e) * width, lines), nabla)
            at = (first + j) * width
            store_block(w, at, width, add(load_block(w, at, width, lines, rows), nabla), lines, new - j, inputs - j)
        for j in range(0, below, lanes(w)):
            for unit in range(0, width, lanes(w)):
                to = (tile_below * transposed.shape[1] + tile * width + unit) * below + j
                transpose(w, (first + j) * width + unit, width, transposed, to, below)
