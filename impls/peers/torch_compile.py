"""A trainer in PyTorch that compiles a whole step: gather, gradient and descent in one call of `torch.compile`."""

from __future__ import annotations

import os
import shutil
import warnings

# Threads that compile would still be there during the epochs.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

import numpy as np
import torch
from torch.nn.functional import linear

from impls.dataset import Dataset
from impls.errors import Unsupported
from impls.peers.torch_accelerator import CURRENT
from impls.peers.torch_eager import TorchCpu
from impls.trainer import Order

_COMPILERS = ("c++", "g++", "clang++", "cl")  # that PyTorch uses for the CPU
_MOST = 10_000  # functions that a process may compile for a step; PyTorch's limit of 8 is few for a grid of workloads


class TorchCompile(TorchCpu):
    """Runs on the GPU if PyTorch finds one, otherwise on the CPU. The constructor compiles, for each size of mini-batch.

    The step is a function of the parameters, with its gradient by `torch.func.grad`, so that PyTorch compiles all of it together. On one
    thread of an AMD EPYC, `nielsen` takes 0.32 of the time of `torch_cpu`. Compiling only the model and the cost gains nothing there.
    """

    device = "gpu" if CURRENT else "cpu"
    where = CURRENT or "cpu"

    @classmethod
    def unavailable(cls) -> str | None:
        if CURRENT or os.environ.get("CXX") or any(map(shutil.which, _COMPILERS)):
            return None
        return "torch.compile: no C++ compiler; install g++ or clang (on Windows: the Build Tools for Visual Studio)"

    def _setup(self, data: Dataset) -> None:
        super()._setup(data)
        self._parameters = [p.detach() for p in self._model.parameters()]  # the memory of the modules, which `load` sets
        sizes = {min(self.batch_size, self.examples), self.examples % self.batch_size} - {0}
        limits = {"recompile_limit": _MOST, "accumulated_recompile_limit": _MOST}
        with torch._dynamo.config.patch(limits), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # PyTorch's compiler uses functions that PyTorch has deprecated
            warnings.filterwarnings("ignore", "TensorFloat32 tensor cores")  # it recommends a rounding that is not float32's
            for m in sizes:
                try:
                    self._descend(torch.arange(m, device=self.where))
                except torch._dynamo.exc.TorchDynamoException as error:  # a compiler may lack Triton, a header, or anything
                    raise Unsupported(f"torch.compile: {str(error).strip().splitlines()[0]}; use torch_cpu or torch_gpu") from error

    def _epoch(self, order: Order) -> None:
        for examples in torch.split(torch.from_numpy(order.astype(np.int64)).to(self.where), self.batch_size):
            self._descend(examples)

    def _descend(self, examples: torch.Tensor) -> None:
        _step(self._parameters, self._x, self._y, examples, self.learning_rate)


@torch.compile(fullgraph=True, dynamic=False)  # a function for each shape and learning rate, whatever was compiled before
def _step(parameters: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor, examples: torch.Tensor, learning_rate: float) -> None:
    """Step down the gradient of the cost of these examples. parameters: w_1, b_1, w_2, b_2, ..., changed in place"""
    nabla = torch.func.grad(_cost)(parameters, x[examples], y[examples])
    for p, n in zip(parameters, nabla, strict=True):
        p.sub_(learning_rate * n)


def _cost(parameters: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the quadratic cost C = 1/(2m) sum |a_L - y|^2 of m examples."""
    a = x
    for w, b in zip(parameters[::2], parameters[1::2], strict=True):
        a = torch.sigmoid(linear(a, w, b))  # (m, n_l)
    return (a - y).square().sum() / (2 * len(x))
