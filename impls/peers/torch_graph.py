"""A trainer in PyTorch that captures a step in a CUDA graph once and replays it, to save launches of small kernels."""

from __future__ import annotations

import torch

from impls.dataset import Dataset
from impls.peers.torch_accelerator import CURRENT
from impls.peers.torch_eager import TorchGpu
from impls.trainer import Order

_WARM_UP = 3  # steps before the capture, in which libraries and the allocator initialise; the documentation of CUDAGraph asks for them


class TorchGraph(TorchGpu):
    """`TorchGpu` with one graph launch per step. The device counts the steps, so the host only launches graphs. It needs CUDA or ROCm."""

    @classmethod
    def unavailable(cls) -> str | None:
        return f"PyTorch: no CUDA graphs on {CURRENT}; use torch_gpu" if CURRENT not in ("", "cuda") else super().unavailable()

    def _setup(self, data: Dataset) -> None:
        super()._setup(data)
        self._order = torch.zeros(self.examples, dtype=torch.int64, device=self.where)
        self._done = torch.zeros(1, dtype=torch.int64, device=self.where)  # examples trained on in this epoch
        self._places = torch.arange(self.batch_size, device=self.where)  # an attribute, because the graphs read it at this address
        self._whole_steps, last = divmod(self.examples, self.batch_size)
        sizes = {min(self.batch_size, self.examples), last} - {0}
        self._graphs = {m: self._captured(m) for m in sizes}  # valid after `load`, which copies into the same parameters

    def _epoch(self, order: Order) -> None:
        self._order.copy_(torch.from_numpy(order.astype("int64")))
        self._done.zero_()
        for _ in range(self._whole_steps):
            self._graphs[self.batch_size].replay()
        if last := self.examples % self.batch_size:
            self._graphs[last].replay()

    def _captured(self, m: int) -> torch.cuda.CUDAGraph:
        """Return a graph of a step on the next m examples."""

        def step() -> None:
            examples = self._order[self._done + self._places[:m]]
            self._step(self._x[examples], self._y[examples])
            self._done.add_(m)

        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UP):
                self._done.zero_()
                step()
        torch.cuda.current_stream().wait_stream(aside)
        self._done.zero_()
        graph = torch.cuda.CUDAGraph()
        self._optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            step()
        return graph
