"""Clock cycles of each stage of a step of gpu_fused or gpu_lookahead, from kernels that read the clock at the end of each stage.

    python -m tests.support.gpu.stage_clocks [--trainers gpu_fused,gpu_lookahead] [--workload nielsen,wide] [--threads N] [--grid]
                                             [--json FILE]

The compiler cannot move instructions across a clock read. So the sum is somewhat more than the cycles of the kernel without clock reads.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.options import declare, parse
from bench.system import files
from bench.text.tables import Table
from impls import InputError, Unsupported
from impls.errors import unknown
from impls.gpu_fused import BLOCKS
from tests.support.gpu.variants import grid_form, load_all, with_threads

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
    stages: dict[str, tuple[float, float]]
    step: float

    @classmethod
    def of(cls, spent, names, fit):
        """Return the Clocks of warps from the cycles per step that they spent in these stages, (..., stages)."""
        spent = spent.reshape(-1, spent.shape[-1])
        pairs = zip(names, zip(spent.mean(axis=0).tolist(), spent.max(axis=0).tolist(), strict=True), strict=True)
        stages = {name: pair for name, pair in pairs if name != "none"}
        return cls(fit.threads, getattr(fit, "chunks", 1), stages, float(spent.sum(axis=-1).mean()))

    def table(self, title):
        """Return a Table with a row for each stage."""
        rows = [(stage, f"{mean:,.0f}", f"{most:,.0f}", f"{100 * mean / self.step:.0f} %") for stage, (mean, most) in self.stages.items()]
        rows.append(("a step", f"{self.step:,.0f}", "", ""))
        return Table(f"{title}, {self.threads} threads: clock cycles a step", ("stage", "mean", "max", "of the step"), rows, numbers=True)


def clocked_fused(fused):
    """Return gpu_fused with the clock read at the end of every stage."""

    class Clocked(fused):
        def _compiled(self, files, kernels, **sizes):
            return super()._compiled(files, kernels, **sizes, CLOCKS_AT=self._fit.board_bytes // 4, STAGES=len(FUSED))

        def _epoch(self, order):
            size = self._fit.board_bytes + 4 * BLOCKS * (self._fit.threads // 32) * len(FUSED)
            if len(self._board) < size:
                self._board = self.xp.zeros(size, np.uint8)
            super()._epoch(order)

        def clocks(self):
            """Return the cycles of the latest epoch, (blocks, warps, stages)."""
            return self.xp.asnumpy(self._board)[self._fit.board_bytes :].view(np.uint32).reshape(BLOCKS, -1, len(FUSED))

        def by_kind(self, steps):
            """Return the Clocks of each kind of warp."""
            return {"": Clocks.of(self.clocks() / steps, FUSED, self._fit)}

    return Clocked


def clocked_lookahead(lookahead):
    """Return gpu_lookahead with the clock read at the end of every stage."""

    class Clocked(lookahead):
        spare_bytes = 4 * 4 * _MOST_WARPS
        first_steps = 1 << 30  # all steps in one launch, because each launch overwrites the clocks

        def _compiled(self, files, kernels, **sizes):
            at = (len(self._records) - self.spare_bytes) // 4
            return super()._compiled(files, kernels, **sizes, CLOCKS_AT=at, STAGES=4)

        def clocks(self):
            """Return the cycles of the latest epoch, (blocks, warps, 4)."""
            words = self.xp.asnumpy(self._records)[-self.spare_bytes :].view(np.uint32)
            return words[: self._fit.blocks * (self._fit.threads // 32) * 4].reshape(self._fit.blocks, -1, 4)

        def by_kind(self, steps):
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


def measure(kind, workload, splits, *, epochs=3):
    """Train the workload with an instrumented trainer, and return the Clocks of the last epoch for each kind of warp."""
    data = workload.data(splits)
    trainer = kind(workload.network(data), data, batch_size=workload.batch_size, learning_rate=workload.learning_rate)
    for _ in range(epochs):
        trainer.train_epoch(data.order(seed=workload.seed))
    return trainer.by_kind(-(-len(data) // workload.batch_size))


def main(arguments=None, base=None):
    """Run the command and return its exit code: 0, 1 if no trainer supports any workload, or 2 for bad input or no device."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.gpu.stage_clocks", description=__doc__.split("\n")[0])
    declare(parser.add_argument, "--workload", "--examples")
    parser.add_argument(
        "--trainers", default=",".join(CLOCKED), metavar="NAME,...", help=f"measure these of {', '.join(CLOCKED)} (default: both)"
    )
    parser.add_argument(
        "--threads", type=int, metavar="N", help="use N threads per block of gpu_fused, a multiple of 32 (default: gpu_fused chooses)"
    )
    parser.add_argument("--grid", action="store_true", help="measure the variant of gpu_fused for devices without clusters")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the clocks to FILE (default: only print them)")
    given = parser.parse_args(arguments)
    try:
        every = load_all(base)
        if given.grid:
            every["gpu_fused"] = grid_form(every["gpu_fused"])
        if given.threads:
            every["gpu_fused"] = with_threads(every["gpu_fused"], given.threads)
        kinds = {}
        for name in given.trainers.split(","):
            if name not in CLOCKED:
                raise unknown("trainer", name, CLOCKED)
            kinds[name] = CLOCKED[name](every[name])
        options = parse(given, results=Path())
        return _measure_all(kinds, options.workloads, options.splits(), given.json)
    except (InputError, Unsupported) as error:
        print(f"stage_clocks: {error}", file=sys.stderr)
        return 2


def _measure_all(kinds, workloads, splits, file):
    results = {}
    for name, kind in kinds.items():
        for workload in workloads:
            try:
                measured = measure(kind, workload, splits)
            except Unsupported as reason:
                print(f"stage_clocks: {name}, {workload.name}: {reason}", file=sys.stderr)
                continue
            for warps, clocks in measured.items():
                title = ", ".join(filter(None, (name, workload.name, warps)))
                results[title] = clocks._asdict()
                print(clocks.table(title).text(), flush=True)
            if file:
                files.atomic_write(file, json.dumps(results, indent=1) + "\n")
    return int(not results)


if __name__ == "__main__":
    sys.exit(main())
