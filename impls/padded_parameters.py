"""Weights and biases of all layers in one array, with padding that keeps a matrix product fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from impls.network import Network

_FAR = 100.0  # sigmoid(100) is 1 and sigmoid(-100) is 0, in float32 and in float64


class PaddedParameters:
    """The parameters of a network, or their gradient. With examples as rows, a layer is one product: z_l = a_{l-1} w_l.

    The bias is a row of w, because each layer has a unit that is always 1 below it. So BP3 is a row of BP4. Units that are always 0
    follow until the width N_l is a multiple of 8: a BLAS is slower if columns are left over. w_l, (N_{l-1}, N_l), row-major:

                  n_l units    always 1    always 0
               +-------------+-----------+-----------+
      n_{l-1}  |     w^T     |     0     |     0     |
               +-------------+-----------+-----------+
      always 1 |     b^T     |    100    |   -100    |    sigmoid(100) = 1, sigmoid(-100) = 0
               +-------------+-----------+-----------+
      always 0 |      0      |     0     |     0     |
               +-------------+-----------+-----------+

    The padding stays as it is: where sigmoid(z) is 1 or 0 to the last bit, sigmoid'(z) is 0, and so is the gradient.

    widths  N_0 .. N_L
    flat    all of it, one array; one subtraction is a step
    w       w_1 .. w_L, views of it
    """

    def __init__(self, layers: Sequence[int], empty: Callable[[int], Any], *, multiple: int = 8) -> None:
        """Allocate the array without setting it. empty: returns an array of a given size; multiple: every width is a multiple of this."""
        self._layers = layers
        self.widths = [-(-(n + 1) // multiple) * multiple for n in layers]
        shapes = list(pairwise(self.widths))
        ends = list(accumulate(below * n for below, n in shapes))
        self.flat = empty(ends[-1])
        self.w = [self.flat[end - below * n : end].reshape(below, n) for end, (below, n) in zip(ends, shapes, strict=True)]

    def set(self, network: Network, asarray: Callable[[Any], Any]) -> None:
        """Copy the network's parameters here. asarray: returns a host array as one of the library's."""
        for padded, w, b in zip(self.w, network.weights, network.biases, strict=True):
            n, below = w.shape
            padded[...] = 0
            padded[:below, :n] = asarray(w.T)
            padded[below, :n] = asarray(b[:, 0])
            padded[below, n] = _FAR
            padded[below, n + 1 :] = -_FAR

    def network(self, to_host: Callable[[Any], Any]) -> Network:
        """Return the network of these parameters. to_host: returns one of the library's arrays as a host array."""
        both = [to_host(padded)[: below + 1, :n].T for padded, (below, n) in zip(self.w, pairwise(self._layers), strict=True)]
        return Network([w_and_b[:, :-1] for w_and_b in both], [w_and_b[:, -1:] for w_and_b in both])
