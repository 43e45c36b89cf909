"""Weights and biases of all layers in one array, so that one operation changes all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from impls.network import Network


class FlatParameters:
    """The parameters of a network, or their gradient. With examples as rows, z_l = a_{l-1} w_l^T + b_l.

    widths  n_0 .. n_L
    flat    all of it, one array; one subtraction is a step
    w       w_1 .. w_L, (n_l, n_{l-1}) each, row-major: views of it
    b       b_1 .. b_L, (1, n_l) each: views of it
    """

    def __init__(self, layers: Sequence[int], empty: Callable[[int], Any]) -> None:
        """Allocate the array without setting it. empty: returns an array of a given size."""
        self.widths = list(layers)
        shapes = [*((n, below) for below, n in pairwise(layers)), *((1, n) for n in layers[1:])]
        ends = list(accumulate(rows * columns for rows, columns in shapes))
        self.flat = empty(ends[-1])
        views = [self.flat[end - rows * columns : end].reshape(rows, columns) for end, (rows, columns) in zip(ends, shapes, strict=True)]
        self.w, self.b = views[: len(layers) - 1], views[len(layers) - 1 :]

    def set(self, network: Network, asarray: Callable[[Any], Any]) -> None:
        """Copy the network's parameters here. asarray: returns a host array as one of the library's."""
        for mine, given in zip((*self.w, *self.b), (*network.weights, *(b.T for b in network.biases)), strict=True):
            mine[...] = asarray(given)

    def network(self, to_host: Callable[[Any], Any]) -> Network:
        """Return the network of these parameters. to_host: returns one of the library's arrays as a host array."""
        return Network([to_host(w) for w in self.w], [to_host(b).T for b in self.b])
