"""Trainers in PyTorch as its tutorials write it: nn.Sequential, a loss, backward(), and optim.SGD, in eager mode."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from impls.dataset import Dataset
from impls.network import Network
from impls.programs import pip
from impls.trainer import Order, Trainer


class TorchCpu(Trainer):
    """Loops over mini-batches in Python. PyTorch runs each operation immediately, and computes the gradients by autograd."""

    library = "torch"
    where: ClassVar[str] = "cpu"

    def _setup(self, data: Dataset) -> None:
        dtype = torch.float32 if self.dtype == np.float32 else torch.float64
        self._x = torch.tensor(data.images, dtype=dtype, device=self.where)  # (n, n_0)
        self._y = torch.tensor(data.one_hot(self.layers[-1], self.dtype), device=self.where)  # (n, n_L)
        self._linear = [nn.Linear(below, n, dtype=dtype, device=self.where) for below, n in pairwise(self.layers)]
        self._model = nn.Sequential(*(step for linear in self._linear for step in (linear, nn.Sigmoid())))
        self._optimizer = torch.optim.SGD(self._model.parameters(), lr=self.learning_rate)

    def _set_weights(self, network: Network) -> None:
        with torch.no_grad():
            for layer, w, b in zip(self._linear, network.weights, network.biases, strict=True):
                layer.weight.copy_(torch.from_numpy(w))
                layer.bias.copy_(torch.from_numpy(b[:, 0]))

    def network(self) -> Network:
        weights, biases = ([p.numpy(force=True) for p in ps] for ps in zip(*((x.weight, x.bias) for x in self._linear), strict=True))
        return Network(weights, [b[:, np.newaxis] for b in biases])

    def _epoch(self, order: Order) -> None:
        for examples in torch.split(torch.from_numpy(order.astype(np.int64)).to(self.where), self.batch_size):
            self._step(self._x[examples], self._y[examples])

    def _step(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self._optimizer.zero_grad()
        cost = (self._model(x) - y).square().sum() / (2 * len(x))  # C = 1/(2m) sum |a_L - y|^2
        cost.backward()
        self._optimizer.step()


class TorchGpu(TorchCpu):
    """`TorchCpu` on PyTorch's current CUDA device. Products of float32 do not use TF32, which is off by default in PyTorch."""

    device = "gpu"
    where = "cuda"

    @classmethod
    def unavailable(cls) -> str | None:
        with warnings.catch_warnings(record=True) as caught:  # PyTorch gives the reason in a warning, such as an old driver
            warnings.simplefilter("always")
            if torch.cuda.is_available():
                return None
        if torch.version.cuda is None:
            return (
                f"PyTorch {torch.__version__}: built without CUDA; on Linux, {pip()} install --force-reinstall torch; else see pytorch.org"
            )
        why = "".join(f" ({str(warning.message).splitlines()[0]})" for warning in caught)
        return f"PyTorch: no CUDA device{why}; `nvidia-smi` must list one, with a driver for CUDA {torch.version.cuda}"

    def _synchronize(self) -> None:
        torch.cuda.synchronize()
