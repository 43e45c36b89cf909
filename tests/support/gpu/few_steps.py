"""A comparison of the kernels with the float64 loop on small jobs, short enough for compute-sanitizer and ncu.

    compute-sanitizer --tool racecheck python -m tests.support.gpu.few_steps [gpu_fused,gpu_graph,grid] [--examples N]

Exits with 1 if a result is wrong, or if two runs of the same steps give different bits.
"""

import argparse
import sys

import numpy as np

from bench.verify.epoch_job import EpochJob
from bench.verify.rounding import TOLERANCE, arrays, distance
from impls import Dataset, InputError, Network, Unsupported, load_trainer, mnist
from impls.errors import unknown
from tests.support.gpu.variants import load_all

KERNELS = ("gpu_fused", "gpu_graph", "gpu_lookahead", "grid")  # `gpu` has no kernels of its own
COMPARED = 1000  # largest number of examples to compare with float64; beyond it, rounding errors grow too large


def jobs(examples):
    """Return jobs by name: `nielsen` and `wide` on this number of digits, and `uneven`, whose sizes are not multiples of a warp or a tile.

    For more examples than COMPARED, return `nielsen` alone.
    """
    digits, rng = mnist().training.first(examples), np.random.default_rng(5)
    few = Dataset(rng.random((19, 300)), rng.integers(0, 5, 19), classes=5)
    sizes = {"nielsen": ([784, 30, 10], digits, 10), "wide": ([784, 100, 10], digits, 50), "uneven": ([300, 15, 5], few, 4)}
    jobs = {name: EpochJob(Network.scaled(layers, seed=2), data, data.order(seed=1), m, 3.0) for name, (layers, data, m) in sizes.items()}
    return jobs if examples <= COMPARED else {"nielsen": jobs["nielsen"]}


def train(kind, job, dtype="float32"):
    """Train a job in this dtype with a trainer's class, and return the network."""
    trainer = kind(job.start.astype(dtype), job.data, batch_size=job.batch_size, learning_rate=job.learning_rate)
    trainer.train_epoch(job.order)
    return trainer.network()


def bits(network):
    """Return the bytes of all weights and biases."""
    return b"".join(array.tobytes() for array in arrays(network))


def check(kind, job):
    """Train the job twice. Return a line about both results, and whether they are correct."""
    one, other = train(kind, job), train(kind, job)
    same = bits(one) == bits(other)
    said = f"two runs have {'the same' if same else 'DIFFERENT'} bits"
    if len(job.data) > COMPARED:
        return said, same
    error = distance(one, train(load_trainer("loop"), job, "float64"), job.start)
    right = error <= TOLERANCE["float32"]  # False for NaN
    return f"{'right' if right else 'WRONG'}, error {error:.1e} of the distance trained; {said}", right and same


def main(arguments=None, base=None):
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.gpu.few_steps", description=__doc__.split("\n")[0])
    parser.add_argument(
        "trainers",
        nargs="?",
        default=",".join(KERNELS),
        metavar="NAME,...",
        help=f"check these trainers of {', '.join(KERNELS)} (default: all)",
    )
    parser.add_argument("--examples", type=int, default=64, metavar="N", help="train N digits (default: 64)")
    given = parser.parse_args(arguments)
    try:
        every, wrong = load_all(base), 0
        for name in given.trainers.split(","):
            if name not in every:
                raise unknown("trainer", name, every)
            for label, job in jobs(given.examples).items():
                try:
                    said, right = check(every[name], job)
                except Unsupported as reason:
                    said, right = f"skipped: {reason}", True
                print(f"{name} {label}: {said}", flush=True)
                wrong += not right
    except (InputError, Unsupported) as error:
        print(f"few_steps: {error}", file=sys.stderr)
        return 2
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
