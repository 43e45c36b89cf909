"""Colour and marker of each trainer, and colours of the parts of an epoch, in every chart and on the page."""

from __future__ import annotations

from typing import NamedTuple


class Style(NamedTuple):
    """A colour and a Matplotlib marker: a letter, or (corners, 1 for a star, angle)."""

    colour: str
    marker: str | tuple[int, int, int]


# A program chose these colours: as far apart as possible in OKLab (B. Ottosson, 2020), neighbours of the ladder most, also for readers who
# see no red or no green (simulation of G. Machado, M. Oliveira and L. Fernandes, 2009). The hues are near those of Okabe and Ito, and of
# P. Tol. Each colour has a contrast of 3 against white, and against #16181c, the dark background of the page. So the colours are alike in
# grey, and the markers differ too. tests/bench/plot/test_palette.py states the least distances.
# Keyed by name, so that a trainer keeps its style when another one is added.
STYLES = {
    "loop": Style("#0068B4", "o"),
    "matrix": Style("#D87D00", "s"),
    "matrix_tuned": Style("#91573C", "8"),
    "compiled": Style("#04A873", "D"),
    "gpu": Style("#D74200", "^"),
    "gpu_tuned": Style("#9A6298", (4, 1, 0)),
    "gpu_graph": Style("#0385FF", "v"),
    "gpu_fused": Style("#F359A6", "P"),
    "gpu_lookahead": Style("#A15DE2", "H"),
    "webgpu": Style("#0F7551", (3, 1, 0)),
    "mpi": Style("#D02764", "d"),
    "mpi_gpu": Style("#959451", "h"),
    "jax_cpu": Style("#5F6876", "X"),
    "jax_gpu": Style("#A631AB", "*"),
    "torch_cpu": Style("#777500", "<"),
    "torch_gpu": Style("#12A2B5", ">"),
    "torch_graph": Style("#654ED8", "p"),
    "torch_compile": Style("#8E8A96", (5, 1, 0)),
    "mlx": Style("#FF595C", (6, 1, 0)),
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
    return STYLES.get(trainer) or list(STYLES.values())[sum(map(ord, trainer)) % len(STYLES)]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21, as the Web Content Accessibility Guidelines 2.2 define it.

    one, other  colours as "#rrggbb"
    """
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(shade: str) -> float:
    """Return the relative luminance of a colour of sRGB, from 0 to 1."""
    channels = (int(shade[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels)
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
