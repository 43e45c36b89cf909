"""Variants of the GPU trainers for experiments, and the time of an epoch by two clocks."""

import time
from typing import NamedTuple

from impls import Unsupported, load_trainer

NAMES = ("gpu", "gpu_tuned", "gpu_graph", "gpu_fused", "gpu_lookahead")


class Instead:
    """An object with some of its attributes replaced."""

    def __init__(self, of, **instead):
        self._of = of
        self.__dict__.update(instead)

    def __getattr__(self, name):
        return getattr(self._of, name)


def grid_form(fused):
    """Return the variant of gpu_fused for devices without clusters: a cooperative launch whose blocks exchange through device memory."""
    cuda = fused.xp.cuda

    class Grid(fused):
        xp = Instead(fused.xp, cuda=Instead(cuda, Device=lambda: Instead(cuda.Device(), compute_capability="80")))

    return Grid


def one_by_one(graph):
    """Return gpu_graph without programmatic dependent launch: each kernel starts after the previous one has ended."""
    return type("OneByOne", (graph,), {"_launch_dependent": staticmethod(lambda *arguments: False)})


def with_threads(fused, threads):
    """Return gpu_fused with this number of threads per block, a multiple of 32."""
    return type(f"Of{threads}Threads", (fused,), {"threads": (threads,)})


def with_blocks(lookahead, blocks):
    """Return gpu_lookahead with this number of blocks in its cluster."""
    return type(f"Of{blocks}Blocks", (lookahead,), {"blocks": (blocks,)})


def load_all(base=None):
    """Return the trainers by name: those of NAMES, and the variants `one_by_one` and `grid`.

    base  trainers by name for the names of NAMES (default: the project's)

    Raises Unsupported if there is no base and this machine has no usable GPU.
    """
    if base is None:
        base = {name: load_trainer(name) for name in NAMES}
        if reason := base["gpu"].unavailable():
            raise Unsupported(reason)
    every = dict(base)
    return every | {"one_by_one": one_by_one(every["gpu_graph"]), "grid": grid_form(every["gpu_fused"])}


def stream_of(trainer):
    """Return the CUDA stream of a GPU trainer."""
    return getattr(trainer, "_stream", None) or trainer.xp.cuda.get_current_stream()


class Epoch(NamedTuple):
    """Seconds of an epoch, by the host's clock and by two CUDA events around it."""

    wall: float
    events: float


def timed_epoch(trainer, order):
    """Train an epoch and return its times."""
    stream, cuda = stream_of(trainer), trainer.xp.cuda
    began, ended = cuda.Event(), cuda.Event()
    began.record(stream)
    wall = time.perf_counter()
    trainer.train_epoch(order)
    wall = time.perf_counter() - wall
    ended.record(stream)
    ended.synchronize()
    return Epoch(wall, cuda.get_elapsed_time(began, ended) / 1000)
