"""Images as lists of their non-zero pixels: a pixel of value 0 contributes nothing to z or to a gradient. A fifth of MNIST's are not 0."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from impls.network import Array

_BYTE = 256  # values that a byte can number
_BITS = 20  # of a value: its sign, its exponent, and at least 8 bits of its mantissa, so as to distinguish the multiples of 1/255 and 1/256


class PixelLists(NamedTuple):
    """The images' lists, concatenated. An entry is `span` adjacent pixels of which at least one is not 0.

    If the images have few different values, an entry has their numbers instead, which are bytes: the lists are then a third as long, and
    an epoch reads all of them from memory, in random order.
    """

    starts: npt.NDArray[np.integer[Any]]  # (n + 1,), the first entry of each image
    spans: npt.NDArray[np.integer[Any]]  # (entries,); the pixels of entry k are span * spans[k] and the next ones
    values: npt.NDArray[Any]  # (span * entries,), or indices into `table`
    table: Array | None  # the different values; None if `values` are not indices


def pixel_lists(images: Array, span: int, *, multiple: int = 1, every: bool = False) -> PixelLists:
    """Return the lists of images, (n, n_0).

    multiple  pad each list to a multiple of this, with entries that are 0
    every     list all pixels, even those that are 0
    """
    n, pixels = images.shape
    padded = np.pad(images, ((0, 0), (0, -pixels % span))) if pixels % span else images
    spans = padded.reshape(n, -1, span)
    listed = np.full(spans.shape[:2], every)
    for pixel in range(span):
        listed |= spans[:, :, pixel] != 0
    lengths = np.count_nonzero(listed, axis=1)
    starts = np.concatenate([[0], np.cumsum(-(-lengths // multiple) * multiple)])
    image, number = np.nonzero(listed)
    entry = starts[image] + np.arange(len(image)) - np.concatenate([[0], np.cumsum(lengths)])[image]
    numbers, values = np.zeros(starts[-1], np.min_scalar_type(spans.shape[1])), np.zeros((starts[-1], span), images.dtype)
    numbers[entry], values[entry] = number, spans[image, number]
    return PixelLists(starts, numbers, *_numbered(values.ravel()))


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


def with_zeros(lists: PixelLists, span: int, pixels: int) -> PixelLists:
    """Return the lists of the same images, which have this many pixels, with all of their pixels."""
    images = np.zeros((len(lists.starts) - 1, -(-pixels // span), span), (lists.values if lists.table is None else lists.table).dtype)
    values = (lists.values if lists.table is None else lists.table[lists.values]).reshape(-1, span)
    image, used = np.repeat(np.arange(len(images)), np.diff(lists.starts)), (values != 0).any(axis=1)  # not the padding
    images[image[used], lists.spans[used]] = values[used]
    return pixel_lists(images.reshape(len(images), -1)[:, :pixels], span, every=True)
