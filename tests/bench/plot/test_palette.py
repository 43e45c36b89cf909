"""Colours and markers of the trainers: distinct, and visible on paper and on the dark page."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from bench.plot import palette, style
from impls import TRAINERS

# OKLab (B. Ottosson, 2020): linear sRGB to the response of cones, and the cube root of that to lightness and two axes of colour.
CONES = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.63]])
OKLAB = np.array([[0.2105, 0.7936, -0.0041], [1.978, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]])

LEAST, LEAST_OF_NEIGHBOURS = 0.1, 0.16  # distances; black and white have a distance of 1


def distance(one, other):
    """Return the distance of two colours in OKLab."""
    rgb = np.array([to_rgb(one), to_rgb(other)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    first, second = np.cbrt(linear @ CONES.T) @ OKLAB.T
    return float(np.linalg.norm(first - second))


def test_every_trainer_has_its_own_colour_and_marker():
    assert list(palette.STYLES) == list(TRAINERS), "add the new trainer to bench/plot/palette.py"
    assert len({palette.colour(name) for name in TRAINERS}) == len({palette.marker(name) for name in TRAINERS}) == len(TRAINERS)


def test_contrast_is_that_of_the_guidelines():
    assert palette.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert palette.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("background", ["#ffffff", "#16181c"])
def test_every_colour_is_visible_on_paper_and_on_the_dark_page(background):
    contrasts = {name: palette.contrast(palette.colour(name), background) for name in TRAINERS}
    assert min(contrasts.values()) >= 3, contrasts


def test_any_two_colours_are_apart_and_neighbours_of_the_ladder_more():
    colours = [palette.colour(name) for name in TRAINERS]
    assert distance("#000000", "#ffffff") == pytest.approx(1, abs=0.001)
    assert min(distance(*pair) for pair in combinations(colours, 2)) >= LEAST
    assert min(distance(*pair) for pair in pairwise(colours)) >= LEAST_OF_NEIGHBOURS


def test_text_on_every_colour_is_readable():
    assert min(palette.contrast(style.ink(palette.colour(name)), palette.colour(name)) for name in TRAINERS) >= 4.5
