"""What a trainer looks like, in every chart and on the page: its colour and its marker."""

from __future__ import annotations

from typing import NamedTuple


class Look(NamedTuple):
    """A colour, and one of Matplotlib's markers."""

    colour: str
    marker: str


# Okabe and Ito's colours and some of P. Tol's, which colour-blind readers can tell apart. Where two are alike in grey the markers differ.
# By name, so that a trainer keeps its look when another one joins the ladder.
LOOKS = {
    "loop": Look("#0072B2", "o"),
    "matrix": Look("#E69F00", "s"),
    "compiled": Look("#009E73", "D"),
    "gpu": Look("#D55E00", "^"),
    "gpu_graph": Look("#56B4E9", "v"),
    "gpu_fused": Look("#CC79A7", "P"),
    "gpu_lookahead": Look("#AA4499", "H"),
    "mpi": Look("#661100", "d"),
    "mpi_gpu": Look("#DDCC77", "h"),
    "jax_cpu": Look("#000000", "X"),
    "jax_gpu": Look("#882255", "*"),
    "torch_cpu": Look("#999933", "<"),
    "torch_gpu": Look("#44AA99", ">"),
    "torch_graph": Look("#332288", "p"),
}


def colour(trainer: str) -> str:
    """Return the trainer's colour."""
    return _look(trainer).colour


def marker(trainer: str) -> str:
    """Return the trainer's marker."""
    return _look(trainer).marker


def _look(trainer: str) -> Look:
    """Return a trainer's own look, or one of these for a trainer that is not the project's, the same one every time."""
    return LOOKS.get(trainer) or numbered(sum(map(ord, trainer)))


def numbered(position: int) -> Look:
    """Return the look of a line that is no trainer's."""
    return list(LOOKS.values())[position % len(LOOKS)]
