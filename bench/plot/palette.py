"""Colour and marker of each trainer, and colours of the parts of an epoch, in every chart and on the page."""

from __future__ import annotations

from typing import NamedTuple


class Style(NamedTuple):
    """A colour and a Matplotlib marker: a letter, or (corners, 1 for a star, angle)."""

    colour: str
    marker: str | tuple[int, int, int]


# Colours of Okabe and Ito, and some of P. Tol, which colour-blind readers can distinguish. Colours of the same grey have different markers.
# Keyed by name, so that a trainer keeps its style when another one is added.
STYLES = {
    "loop": Style("#0072B2", "o"),
    "matrix": Style("#E69F00", "s"),
    "matrix_tuned": Style("#B15928", "8"),
    "compiled": Style("#009E73", "D"),
    "gpu": Style("#D55E00", "^"),
    "gpu_tuned": Style("#6A3D9A", (4, 1, 0)),
    "gpu_graph": Style("#56B4E9", "v"),
    "gpu_fused": Style("#CC79A7", "P"),
    "gpu_lookahead": Style("#AA4499", "H"),
    "webgpu": Style("#117733", (3, 1, 0)),
    "mpi": Style("#661100", "d"),
    "mpi_gpu": Style("#DDCC77", "h"),
    "jax_cpu": Style("#000000", "X"),
    "jax_gpu": Style("#882255", "*"),
    "torch_cpu": Style("#999933", "<"),
    "torch_gpu": Style("#44AA99", ">"),
    "torch_graph": Style("#332288", "p"),
    "torch_compile": Style("#999999", (5, 1, 0)),
    "mlx": Style("#CC6677", (6, 1, 0)),
}


# The parts of an epoch, in the order of breakdown.PARTS. The two that no program avoids are blue.
PART_COLOURS = ("#0072B2", "#56B4E9", "#E69F00", "#CFCFCF")


def colour(trainer: str) -> str:
    """Return the trainer's colour."""
    return _style(trainer).colour


def marker(trainer: str) -> str | tuple[int, int, int]:
    """Return the trainer's marker."""
    return _style(trainer).marker


def _style(trainer: str) -> Style:
    """Return the trainer's style. A trainer from outside the project gets one of these styles, chosen by its name."""
    return STYLES.get(trainer) or numbered(sum(map(ord, trainer)))


def numbered(position: int) -> Style:
    """Return the style of a line that does not belong to a trainer."""
    return list(STYLES.values())[position % len(STYLES)]
