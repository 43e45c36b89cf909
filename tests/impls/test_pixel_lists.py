"""Lists of non-zero pixels."""

import numpy as np
import pytest

from impls.pixel_lists import pixel_lists, with_zeros

LENGTHS = [1, 7, 254, 255, 256, 257, 510, 511, 512, 513, 1021]


def listed(lists):
    """Return the pixels and values of each image, in the order of its list, without those of value 0, and all pixels of its list."""
    span = lists.entries.shape[1] - 1
    for begin, end in zip(lists.starts, lists.starts[1:], strict=False):
        steps, values = lists.entries[begin:end, 0].astype(int), lists.entries[begin:end, 1:]
        pixels = (span * np.cumsum(steps)[:, np.newaxis] + np.arange(span)).ravel()
        values = (values if lists.table is None else lists.table[values]).ravel()
        yield pixels[values != 0], values[values != 0], pixels


def assert_lists(lists, images):
    for image, (pixels, values, _) in zip(images, listed(lists), strict=True):
        assert np.array_equal(pixels, np.nonzero(image)[0])
        assert np.array_equal(values, image[pixels])


@pytest.mark.parametrize("values", [3, 1000], ids=["few values", "many"])
@pytest.mark.parametrize("span", [1, 2])
def test_lists_have_the_pixels_that_are_not_0(span, values):
    for pixels in LENGTHS:
        rng = np.random.default_rng(pixels)
        images = rng.integers(1, values + 1, (60, pixels)) / values * (rng.random((60, pixels)) < rng.choice([0, 0.002, 0.2, 1], (60, 1)))
        images[7, [0, -1]] = 1  # the longest distance
        lists = pixel_lists(images, span, multiple=4)
        assert_lists(lists, images)
        assert not (lists.starts % 4).any()
        assert lists.entries.dtype == (np.uint8 if lists.table is not None else np.float64)


@pytest.mark.parametrize("span", [1, 2])
def test_a_list_with_zeros_has_every_pixel_once(span):
    rng = np.random.default_rng(0)
    images = rng.random((20, 700)) * (rng.random((20, 700)) < 0.01)
    lists = with_zeros(pixel_lists(images, span, multiple=4), 704)
    assert_lists(lists, np.pad(images, ((0, 0), (0, 4))))
    for _, _, pixels in listed(lists):
        assert np.array_equal(pixels, np.arange(704))
