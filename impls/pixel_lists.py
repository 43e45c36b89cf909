"""Images as lists of their non-zero pixels: a pixel of value 0 contributes nothing to z or to a gradient. A fifth of MNIST's are not 0."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from impls.network import Array

_BYTE = 256  # different values of a byte
_LONGEST = 255  # step that a byte can hold
_BITS = 20  # of a value: its sign, its exponent, and at least 8 bits of its mantissa, so as to distinguish the multiples of 1/255 and 1/256


class PixelLists(NamedTuple):
    """The images' lists, concatenated. An entry is a span, `span` adjacent pixels: a step, and their values.

    The step is the distance from the previous entry's span, or from the image's first. Spans of zeros are listed only where a step would be
    longer than 255, and to pad a list. If the images have few different values, an entry has their numbers instead, so it consists of
    bytes: an epoch reads all lists from memory, in random order, and the less of it the better.
    """

    starts: npt.NDArray[np.integer[Any]]  # (n + 1,), the first entry of each image
    entries: npt.NDArray[Any]  # (entries, 1 + span): the step, and values or indices into `table`
    table: Array | None  # the different values; None if `entries` has values


def pixel_lists(images: Array, span: int, *, multiple: int = 1, every: bool = False) -> PixelLists:
    """Return the lists of images, (n, n_0).

    multiple  pad each list to a multiple of this, with entries of value 0
    every     list all pixels, even those that are 0
    """
    n, pixels = images.shape
    padded = np.pad(images, ((0, 0), (0, -pixels % span))) if pixels % span else images
    spans = padded.reshape(n, -1, span)
    listed = np.full(spans.shape[:2], every)
    for pixel in range(span):
        listed |= spans[:, :, pixel] != 0
    image, number = (index.astype(np.int32) for index in np.nonzero(listed))  # half of the memory
    step = number - np.where(np.diff(image, prepend=-1) == 0, np.roll(number, 1), 0)
    extra = np.maximum(step - 1, 0) // _LONGEST  # entries of value 0 that a long step needs
    lengths = np.bincount(image, 1 + extra, minlength=n).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(-(-lengths // multiple) * multiple)])
    padding = starts[:-1] - (np.cumsum(lengths) - lengths)  # of the images before each image
    entry = np.cumsum(1 + extra) - 1 + padding[image]
    steps, values = np.zeros(starts[-1], np.uint8), np.zeros((starts[-1], span), images.dtype)
    for back in range(1, extra.max(initial=0) + 1):
        steps[entry[extra >= back] - back] = _LONGEST
    steps[entry], values[entry] = step - _LONGEST * extra, spans[image, number]
    numbers, table = _numbered(values.ravel())
    return PixelLists(starts, np.column_stack([steps, numbers.reshape(-1, span)]), table)


def _numbered(values: Array) -> tuple[npt.NDArray[Any], Array | None]:
    """Return the number of each value in the table of all different values, and the table; or the values, if a byte cannot number them.

    A value is looked up by its first bits. If two values differ only in later bits, bytes do not number them.
    """
    bits = values.view(f"u{values.itemsize}") >> (8 * values.itemsize - _BITS)
    with_bits = np.zeros(1 << _BITS, values.dtype)
    with_bits[bits] = values
    table = np.unique(with_bits)
    if len(table) > _BYTE or (with_bits[bits] != values).any():
        return values, None
    return np.searchsorted(table, with_bits).astype(np.uint8)[bits], table


def with_zeros(lists: PixelLists, pixels: int) -> PixelLists:
    """Return the lists of the same images with all of their pixels, padded to `pixels`, a multiple of the span."""
    starts, steps, values, table = lists.starts, lists.entries[:, 0], lists.entries[:, 1:], lists.table
    values = values if table is None else table[values]
    n, span = len(starts) - 1, values.shape[1]
    passed = np.concatenate([[0], np.cumsum(steps, dtype=np.int64)])
    image, used = np.repeat(np.arange(n), np.diff(starts)), (values != 0).any(axis=1)  # not the padding
    images = np.zeros((n, pixels // span, span), values.dtype)
    images[image[used], (passed[1:] - passed[starts[image]])[used]] = values[used]
    return pixel_lists(images.reshape(n, pixels), span, every=True)
