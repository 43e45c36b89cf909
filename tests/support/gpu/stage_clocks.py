"""Clock cycles of each stage of a gpu_fused step: epoch.cu with the clock read between the stages.

    python -m tests.support.gpu.stage_clocks [--workload nielsen,wide] [--threads N] [--grid] [--json FILE]

A clock read keeps the compiler from moving instructions across it. So the sum is somewhat above the cycles of the kernel as it is.
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.options import declare, parse
from bench.system import files
from bench.text.tables import Table
from impls import InputError, Unsupported
from impls.gpu_fused import BLOCKS
from tests.support.gpu.variants import Instead, grid_form, load_all, with_threads

STAGES = ("forward, shuffles", "barrier 1", "z_1 to a_1", "barrier 2", "z_2, send", "issue loads", "receive", "delta_2", "barrier 3",
          "delta_1", "barrier 4", "w_2, b_1, b_2", "w_1", "copy, other chunks")  # fmt: skip

_HEAD = "struct Shared {"
_LOOP = "    for (int step = 0; step < steps; step++) {"
_END, _AFTER = "    }", "    close(shared.mail);"
_BARRIER = "__syncthreads();"
# The lines of the loop where stages meet, in order: the line, the stage that ends before it, the stage that ends after it.
_BORDERS = (
    (_BARRIER, 0, 1),
    (_BARRIER, 2, 3),
    ("ask_labels(step + 1);", 4, None),
    ("const auto& parts = receive(shared.mail, step);", 5, 6),
    (_BARRIER, 7, 8),
    (_BARRIER, 9, 10),
    ("descend(shared, w, x, (CHUNKS - 1) * CHUNK);", 11, 12),
)
MARK = "  // stage clocks"  # at the end of every line that is added
# The clock is the multiprocessor's own. Where a CPU plays the kernel, every read is one cycle after the last.
_CLOCK = """
__device__ inline unsigned cycle(unsigned last) {
#ifdef __CUDA_ARCH__
    asm volatile("mov.u32 %0, %%clock;" : "=r"(last)::"memory");
    return last;
#else
    return last + 1;
#endif
}
__device__ inline void add_stage(unsigned& sum, unsigned& last) {
    const unsigned now = cycle(last);
    sum += now - last, last = now;
}
"""


def instrumented(code):
    """Return the code of gpu_fused with the clock read at the end of every stage.

    Each warp writes its sums over the epoch, unsigned [BLOCKS][WARPS][stages], to CLOCKS_AT words after the start of `board`.
    Raises InputError if the step of epoch.cu has other stages than this module knows.
    """
    lines = code.split("\n")
    if any(lines.count(line) != 1 for line in (_HEAD, _LOOP, _AFTER)):
        raise InputError("epoch.cu: no single loop over the steps; adapt _HEAD, _LOOP and _AFTER of tests/support/gpu/stage_clocks.py")
    head, start, after = lines.index(_HEAD), lines.index(_LOOP), lines.index(_AFTER)
    end = max(number for number in range(start, after) if lines[number] == _END)
    texts = [text for text, *_ in _BORDERS]
    found = [number for number in range(start, end) if lines[number].strip() in texts]
    if [lines[number].strip() for number in found] != texts:
        raise InputError("epoch.cu: a step has other stages than before; adapt STAGES and _BORDERS of tests/support/gpu/stage_clocks.py")

    count = len(STAGES)
    store = f"static_cast<unsigned*>(board)[CLOCKS_AT + (blockIdx.x * WARPS + t / 32) * {count} + k] = spent[k];"
    added = defaultdict(list)  # before the line of that number
    added[head] += _CLOCK.strip().split("\n")
    added[start] += [f"    unsigned spent[{count}] = {{}}, last = cycle(0);"]
    for number, (_, before, behind) in zip(found, _BORDERS, strict=True):
        added[number] += [_add(before)]
        added[number + 1] += [] if behind is None else [_add(behind)]
    added[end] += [_add(count - 1)]
    added[after + 1] += ["    if (t % 32 == 0)", "#pragma unroll", f"        for (int k = 0; k < {count}; k++) {store}"]
    return "\n".join(text for number, line in enumerate(lines) for text in (*(new + MARK for new in added[number]), line))


def _add(stage):
    return f"        add_stage(spent[{stage}], last);"


def clocked(fused):
    """Return gpu_fused with the instrumented kernel."""

    class Clocked(fused):
        xp = Instead(fused.xp, RawModule=lambda *, code, **options: fused.xp.RawModule(code=instrumented(code), **options))

        def _compiled(self, files, kernels, **sizes):
            return super()._compiled(files, kernels, **sizes, CLOCKS_AT=self._fit.board_bytes // 4)

        def _epoch(self, order):
            size = self._fit.board_bytes + 4 * BLOCKS * (self._fit.threads // 32) * len(STAGES)
            if len(self._board) < size:
                self._board = self.xp.zeros(size, np.uint8)
            super()._epoch(order)

        def clocks(self):
            """Return the cycles of the latest epoch, (blocks, warps, stages)."""
            return self.xp.asnumpy(self._board)[self._fit.board_bytes :].view(np.uint32).reshape(BLOCKS, -1, len(STAGES))

    return Clocked


class Clocks(NamedTuple):
    """Cycles a step: of each stage the mean and the largest over all warps, and the mean of a whole step."""

    threads: int
    chunks: int
    stages: dict[str, tuple[float, float]]
    step: float

    def table(self, title):
        """Return a Table with a row for each stage."""
        rows = [(stage, f"{mean:,.0f}", f"{most:,.0f}", f"{100 * mean / self.step:.0f} %") for stage, (mean, most) in self.stages.items()]
        rows.append(("a step", f"{self.step:,.0f}", "", ""))
        return Table(f"{title}, {self.threads} threads: clock cycles a step", ("stage", "mean", "max", "of the step"), rows, numbers=True)


def measure(fused, workload, splits, *, epochs=3):
    """Train the workload with the instrumented kernel and return the Clocks of the last epoch."""
    data = workload.data(splits)
    trainer = clocked(fused)(workload.network(data), data, batch_size=workload.batch_size, learning_rate=workload.learning_rate)
    for _ in range(epochs):
        trainer.train_epoch(data.order(seed=workload.seed))
    spent = trainer.clocks() / -(-len(data) // workload.batch_size)
    mean, most = spent.mean(axis=(0, 1)).tolist(), spent.max(axis=(0, 1)).tolist()
    stages = dict(zip(STAGES, zip(mean, most, strict=True), strict=True))
    return Clocks(trainer._fit.threads, trainer._fit.chunks, stages, sum(mean))


def main(arguments=None, base=None):
    """Run the command and return its exit code: 0, 1 if gpu_fused does not support a workload, or 2 for bad input or no device."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.gpu.stage_clocks", description=__doc__.split("\n")[0])
    declare(parser.add_argument, "--workload", "--examples")
    parser.add_argument(
        "--threads", type=int, metavar="N", help="use N threads in a block, a multiple of 32 (default: as gpu_fused chooses)"
    )
    parser.add_argument("--grid", action="store_true", help="measure the form for devices without clusters")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the clocks to FILE (default: print them only)")
    given = parser.parse_args(arguments)
    try:
        fused = load_all(base)["gpu_fused"]
        fused = grid_form(fused) if given.grid else fused
        fused = with_threads(fused, given.threads) if given.threads else fused
        options = parse(given, results=Path())
        return _measure_all(fused, options.workloads, options.splits(), given.json)
    except (InputError, Unsupported) as error:
        print(f"stage_clocks: {error}", file=sys.stderr)
        return 2


def _measure_all(fused, workloads, splits, file):
    found, code = {}, 0
    for workload in workloads:
        try:
            found[workload.name] = measure(fused, workload, splits)
        except Unsupported as reason:
            print(f"stage_clocks: {workload.name}: {reason}", file=sys.stderr)
            code = 1
            continue
        print(found[workload.name].table(workload.name).text(), flush=True)
        if file:
            files.atomic_write(file, json.dumps({name: clocks._asdict() for name, clocks in found.items()}, indent=1) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
