"""Clock cycles of each stage of a step of gpu_fused or gpu_lookahead, from kernels that read the clock at the end of each stage.

The compiler cannot move instructions across a clock read. So the sum is somewhat more than the cycles of the kernel without clock reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bench.text.tables import Table
from bench.verify.epoch_job import EpochJob
from impls.gpu_fused import BLOCKS

# The stages that end at each `clocks.end` of epoch.cu
FUSED = ("forward, shuffles", "barrier 1", "z_1 to a_1", "barrier 2", "z_2, send", "issue loads", "receive", "delta_2", "barrier 3",
         "delta_1", "barrier 4", "w_2, b_1, b_2", "w_1", "copy, other chunks")  # fmt: skip
# The stages of lookahead_conductor.cuh and lookahead_worker.cuh, for each kind of warp
LOOKAHEAD = {
    "conductor, chain": ("z_1 to a_1", "barrier 1", "outputs, delta_1", "barrier 2"),
    "conductor, finishers": ("w_2", "barrier 1", "send delta_1", "barrier 2"),
    "conductor, starters": ("next z_1", "none", "none", "barrier 2"),
    "workers, products": ("forward", "barrier", "wait for delta_1", "w_1"),
    "workers, adders": ("none", "barrier", "none", "add, send, ask for images"),
}
_MOST_WARPS = 32 * 16  # of a cluster


class Clocks(NamedTuple):
    """Cycles of a step for one kind of warp: the mean and the maximum of each stage over the warps, and the mean of the whole step."""

    threads: int
    chunks: int
    stages: Mapping[str, tuple[float, float]]
    step: float

    @classmethod
    def of(cls, spent: Any, names: Sequence[str], fit: Any) -> Clocks:
        """Return the Clocks of warps from the cycles per step that they spent in these stages, (..., stages)."""
        spent = spent.reshape(-1, spent.shape[-1])
        pairs = zip(names, zip(spent.mean(axis=0).tolist(), spent.max(axis=0).tolist(), strict=True), strict=True)
        stages = {name: pair for name, pair in pairs if name != "none"}
        return cls(fit.threads, getattr(fit, "chunks", 1), stages, float(spent.sum(axis=-1).mean()))

    def table(self, title: str) -> Table:
        """Return a Table with a row for each stage."""
        rows = [(stage, f"{mean:,.0f}", f"{most:,.0f}", f"{100 * mean / self.step:.0f} %") for stage, (mean, most) in self.stages.items()]
        rows.append(("a step", f"{self.step:,.0f}", "", ""))
        return Table(f"{title}, {self.threads} threads: clock cycles a step", ("stage", "mean", "max", "of the step"), rows, numbers=True)


def clocked_fused(fused: Any) -> Any:
    """Return gpu_fused with the clock read at the end of every stage."""

    class Clocked(fused):  # type: ignore[misc]
        _board: Any

        def _compiled(self, files: Any, kernels: Any, **sizes: int) -> Any:
            return super()._compiled(files, kernels, **sizes, CLOCKS_AT=self._fit.board_bytes // 4, STAGES=len(FUSED))

        def _epoch(self, order: Any) -> None:
            size = self._fit.board_bytes + 4 * BLOCKS * (self._fit.threads // 32) * len(FUSED)
            if len(self._board) < size:
                self._board = self.xp.zeros(size, np.uint8)
            super()._epoch(order)

        def clocks(self) -> Any:
            """Return the cycles of the latest epoch, (blocks, warps, stages)."""
            return self.xp.asnumpy(self._board)[self._fit.board_bytes :].view(np.uint32).reshape(BLOCKS, -1, len(FUSED))

        def by_kind(self, steps: int) -> dict[str, Clocks]:
            """Return the Clocks of each kind of warp."""
            return {"": Clocks.of(self.clocks() / steps, FUSED, self._fit)}

    return Clocked


def clocked_lookahead(lookahead: Any) -> Any:
    """Return gpu_lookahead with the clock read at the end of every stage."""

    class Clocked(lookahead):  # type: ignore[misc]
        spare_bytes = 4 * 4 * _MOST_WARPS
        first_steps = 1 << 30  # all steps in one launch, because each launch overwrites the clocks

        def _compiled(self, files: Any, kernels: Any, **sizes: int) -> Any:
            at = (len(self._records) - self.spare_bytes) // 4
            return super()._compiled(files, kernels, **sizes, CLOCKS_AT=at, STAGES=4)

        def clocks(self) -> Any:
            """Return the cycles of the latest epoch, (blocks, warps, 4)."""
            words = self.xp.asnumpy(self._records)[-self.spare_bytes :].view(np.uint32)
            return words[: self._fit.blocks * (self._fit.threads // 32) * 4].reshape(self._fit.blocks, -1, 4)

        def by_kind(self, steps: int) -> dict[str, Clocks]:
            """Return the Clocks of each kind of warp."""
            spent = self.clocks() / steps
            pair_of_quads = 2 * 16 // self.dtype.itemsize  # hidden units that a warp multiplies
            products = -(-self.layers[1] // pair_of_quads)
            starters = (self._fit.threads // 32 - self._m) // 2
            chain, finishers, starters = np.split(spent[0], (self._m, len(spent[0]) - starters))
            kinds = (chain, finishers, starters, spent[1:, :products], spent[1:, products:])
            return {kind: Clocks.of(each, names, self._fit) for each, (kind, names) in zip(kinds, LOOKAHEAD.items(), strict=True)}

    return Clocked


CLOCKED = {"gpu_fused": clocked_fused, "gpu_lookahead": clocked_lookahead}


def measure(kind: Any, job: EpochJob, *, epochs: int = 3) -> dict[str, Clocks]:
    """Train the job with an instrumented trainer, and return the Clocks of the last epoch for each kind of warp.

    Raises Unsupported if the trainer does not support the job.
    """
    trainer = kind(job.start, job.data, batch_size=job.batch_size, learning_rate=job.learning_rate)
    for _ in range(epochs):
        trainer.train_epoch(job.order)
    clocks: dict[str, Clocks] = trainer.by_kind(-(-len(job.data) // job.batch_size))
    return clocks
