"""The command `python -m tests.support.fuzz`."""

from __future__ import annotations

import argparse
import sys

from tests.support import fuzz as fuzz_package
from tests.support.fuzz import TARGETS, run


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.fuzz", description=fuzz_package.__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)} (default: all)")
    parser.add_argument("--inputs", type=int, default=100_000, metavar="N", help="total inputs of all targets (default: 100000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="set the seed that determines the inputs (default: 0)")
    arguments = parser.parse_args()
    chosen = {name: TARGETS[name] for name in arguments.targets or TARGETS}
    shares = sum(target.share for target in chosen.values())
    print(f"{'target':<9} {'inputs':>7} {'accepted':>8} {'refused':>8} {'seconds':>8} {'slowest':>8}")
    for name, target in chosen.items():
        tally = run(target, inputs=round(arguments.inputs * target.share / shares), first_seed=arguments.seed)
        print(f"{name:<9} {tally.inputs:>7} {tally.accepted:>8} {tally.refused:>8} {tally.seconds:>8.1f} {tally.slowest:>8.3f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
