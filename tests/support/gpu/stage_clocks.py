"""Clock cycles of each stage of a step of gpu_fused or gpu_lookahead, from kernels that read the clock at the end of each stage.

    python -m tests.support.gpu.stage_clocks [--trainers gpu_fused,gpu_lookahead] [--workload nielsen,wide] [--threads N] [--grid]
                                             [--json FILE]

The compiler cannot move instructions across a clock read. So the sum is somewhat more than the cycles of the kernel without clock reads.
"""

import argparse
import json
import sys
from pathlib import Path

from bench.anatomy.stage_clocks import CLOCKED, measure
from bench.options import declare, parse
from bench.system import files
from bench.verify.verification import whole_epoch
from impls import InputError, Unsupported
from impls.errors import unknown
from tests.support.gpu.variants import grid_form, load_all, with_threads


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
                measured = measure(kind, whole_epoch(workload, splits))
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
