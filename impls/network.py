"""A sigmoid network on the host: its weights and biases, their initialisation, prediction, accuracy and cost.

The notation is that of M. Nielsen, "Neural Networks and Deep Learning", chapters 1 and 2: layers are numbered 0 (the input)
to L (the output), n_l is the width of layer l, w the weights, b the biases, z the weighted input, a the activation.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from impls.errors import InputError

if TYPE_CHECKING:
    from impls.dataset import Dataset

Array = npt.NDArray[np.floating[Any]]


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), elementwise, in the dtype of z.

    It computes (1 + tanh(z/2)) / 2, the same function, because NumPy vectorises tanh and tanh never overflows.
    """
    a: Array = 0.5 * np.tanh(0.5 * z) + 0.5
    return a


class Network:
    """A fully connected network of sigmoid layers: a_l = sigmoid(w_l a_{l-1} + b_l).

    weights  L arrays, the l-th of shape (n_l, n_{l-1})
    biases   L arrays, the l-th of shape (n_l, 1): columns, as in the book

    All are C-contiguous host arrays of one dtype, float32 or float64, copied from the arguments.
    Raises InputError if the shapes or dtypes do not match.
    """

    def __init__(self, weights: Sequence[npt.ArrayLike], biases: Sequence[npt.ArrayLike]) -> None:
        self.weights: list[Array] = [np.array(w, order="C") for w in weights]
        self.biases: list[Array] = [np.array(b, order="C") for b in biases]
        if not self.weights or len(self.weights) != len(self.biases):
            raise InputError("network", f"{len(weights)} weights and {len(biases)} biases", "give one of each for every layer")
        for w, b in zip(self.weights, self.biases, strict=True):
            if w.ndim != 2 or b.shape != (w.shape[0], 1) or 0 in w.shape:
                raise InputError(
                    "network", f"weights {w.shape} and biases {b.shape} do not match", "n units with m inputs need (n, m) and (n, 1)"
                )
        for below, above in pairwise(self.weights):
            if above.shape[1] != below.shape[0]:
                raise InputError(
                    "network", f"weights {below.shape} and {above.shape} do not match", f"the second needs {below.shape[0]} columns"
                )
        dtypes = {array.dtype for array in (*self.weights, *self.biases)}
        if len(dtypes) > 1 or self.dtype not in (np.float32, np.float64):
            raise InputError("network", f"dtypes {', '.join(sorted(map(str, dtypes)))}", "make all arrays float32, or all float64")

    @classmethod
    def gaussian(cls, layers: Sequence[int], *, seed: int = 0, dtype: npt.DTypeLike = np.float32) -> Network:
        """Return a network with all weights and biases from N(0, 1), as in the book's first program.

        layers  (n_0, ..., n_L), at least two widths
        seed    seed of the random numbers; they are float64 and then rounded, so both dtypes start from the same network
        dtype   float32 or float64

        Raises InputError for invalid layers.
        """
        layers = _checked_layers(layers)
        rng = np.random.default_rng(seed)
        return cls(
            [rng.standard_normal((n, m)).astype(dtype) for m, n in pairwise(layers)],
            [rng.standard_normal((n, 1)).astype(dtype) for n in layers[1:]],
        )

    @classmethod
    def scaled(cls, layers: Sequence[int], *, seed: int = 0, dtype: npt.DTypeLike = np.float32) -> Network:
        """Return a network with weights from N(0, 1) / sqrt(n_{l-1}) and biases from N(0, 1), as chapter 3 of the book recommends.

        Wide layers do not saturate at this start. Arguments and errors are those of `gaussian`.
        """
        start = cls.gaussian(layers, seed=seed, dtype=np.float64)
        return cls([w / np.sqrt(w.shape[1]) for w in start.weights], start.biases).astype(dtype)

    @property
    def layers(self) -> tuple[int, ...]:
        """The widths (n_0, ..., n_L)."""
        return (self.weights[0].shape[1], *(w.shape[0] for w in self.weights))

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """float32 or float64."""
        return self.weights[0].dtype

    def astype(self, dtype: npt.DTypeLike) -> Network:
        """Return a copy with every parameter rounded to dtype."""
        return Network([w.astype(dtype) for w in self.weights], [b.astype(dtype) for b in self.biases])

    def predict(self, images: Array) -> Array:
        """Return the output activations a_L, (m, n_L), for m images, (m, n_0), in the network's dtype."""
        a = np.asarray(images, dtype=self.dtype)  # (m, n_0)
        for w, b in zip(self.weights, self.biases, strict=True):
            a = sigmoid(a @ w.T + b.T)  # (m, n_l)
        return a

    def accuracy(self, data: Dataset) -> float:
        """Return the fraction of images whose largest output activation is the one of their label."""
        return float(np.mean(self.predict(data.images).argmax(axis=1) == data.labels))

    def cost(self, data: Dataset) -> float:
        """Return the quadratic cost C = 1/(2m) sum |a_L - y|^2 over the m images (chapter 1, equation 6)."""
        error = self.predict(data.images) - data.one_hot(self.layers[-1], self.dtype)
        return float(np.sum(error**2) / (2 * len(data)))


def _checked_layers(layers: Sequence[int]) -> tuple[int, ...]:
    widths = tuple(int(n) for n in layers)
    if len(widths) < 2 or min(widths) < 1:
        raise InputError(f"layers {'-'.join(map(str, widths)) or '()'}", "not a network", "give at least two widths, each 1 or more")
    return widths
