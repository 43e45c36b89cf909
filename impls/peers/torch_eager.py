"""Trainers in PyTorch as its tutorials write it: nn.Sequential, a loss, backward(), and optim.SGD, in eager mode."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from impls.accelerator import Accelerator
from impls.dataset import Dataset
from impls.errors import Unsupported
from impls.network import Network
from impls.peers.torch_accelerator import CURRENT, facts, missing
from impls.trainer import Order, Trainer


class TorchCpu(Trainer):
    """Loops over mini-batches in Python. PyTorch runs each operation immediately, and computes the gradients by autograd."""

    library = "torch"
    where: ClassVar[str] = "cpu"
    """PyTorch's name of the device."""

    @classmethod
    def accelerator(cls) -> Accelerator | None:
        return None if cls.where == "cpu" else facts()

    def _setup(self, data: Dataset) -> None:
        if self.where == "mps" and self.dtype == np.float64:
            raise Unsupported("PyTorch on Apple's GPU: no float64; give --dtype float32")
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

    def _synchronize(self) -> None:
        if self.where != "cpu":
            torch.accelerator.synchronize()

    def _step(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self._optimizer.zero_grad()
        cost = (self._model(x) - y).square().sum() / (2 * len(x))  # C = 1/(2m) sum |a_L - y|^2
        cost.backward()
        self._optimizer.step()


class TorchGpu(TorchCpu):
    """`TorchCpu` on the GPU that PyTorch names: of NVIDIA or AMD ("cuda"), Intel ("xpu") or Apple ("mps").

    Products of float32 do not use TF32, which is off by default in PyTorch.
    """

    device = "gpu"
    where = CURRENT or "cuda"

    @classmethod
    def unavailable(cls) -> str | None:
        return None if CURRENT else missing()
