"""What a trainer looks like, in every chart and on the page: its colour and its marker."""

from __future__ import annotations

from impls import TRAINERS

# Okabe and Ito's colours and some of P. Tol's, told apart by colour-blind eyes; one for every trainer of the ladder. Where two are
# alike in grey the markers differ.
COLOURS = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#AA4499"),
    *("#661100", "#DDCC77", "#000000", "#882255", "#999933", "#44AA99", "#332288"),
)
MARKERS = "osD^vPHdhX*<>p"  # Matplotlib's


def colour(trainer: str) -> str:
    """Return the trainer's colour."""
    return COLOURS[_position(trainer) % len(COLOURS)]


def marker(trainer: str) -> str:
    """Return the trainer's marker."""
    return MARKERS[_position(trainer) % len(MARKERS)]


def _position(trainer: str) -> int:
    names = list(TRAINERS)
    return names.index(trainer) if trainer in names else len(names) + sum(map(ord, trainer))
