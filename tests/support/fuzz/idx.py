"""Fuzz targets for IDX files and for directories of them."""

from __future__ import annotations

import gzip
import math
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from impls import InputError, read_directory, read_idx
from tests.support.fuzz.drawing import changed
from tests.support.fuzz.refusing import check_one_line

_VALID = ("",) * 6
_DEFECTS = ("shape", "type", "depth", "length", "bytes", "extra byte", "bomb", "trailer", "damage")


@st.composite
def idx_files(draw: st.DrawFn, shape: Sequence[int] | None = None) -> bytes:
    """Draw a file of an array of this shape (None: any shape), with or without gzip. More than half of the files have a defect."""
    defect = draw(st.sampled_from(_VALID + _DEFECTS))
    size = st.integers(0, 5) | st.sampled_from((0, 255, 2**16, 2**31, 2**32 - 1))
    sizes = (
        list(shape or draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))) if defect != "shape" else draw(st.lists(size, max_size=5))
    )
    count = min(math.prod(sizes), 5000) if defect != "length" else draw(st.integers(0, 200))
    pixels = (draw(st.sampled_from((b"\x00", b"\x01\x02", bytes(range(256))))) * (count + 1))[:count]
    kind = draw(st.sampled_from((0, 9, 11, 13, 14, 255))) if defect == "type" else 8
    depth = draw(st.sampled_from((0, 1, 4, 5, 255))) if defect == "depth" else len(sizes)
    content = bytes([0, 0, kind, depth]) + np.array(sizes, ">u4").tobytes() + pixels
    content += {"extra byte": b"!", "bomb": bytes(10**6)}.get(defect, b"")
    content = draw(changed(content)) if defect == "bytes" else content
    cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=2)))
    packed = b"".join(_packed(content[start:end]) for start, end in pairwise((0, *cuts, len(content))))  # several gzip members
    if defect == "trailer":
        packed += draw(st.sampled_from((b"\x00" * 9, b"more", _packed(b""), _packed(b"!"))))
    return draw(changed(packed)) if defect == "damage" else packed if defect in ("bomb", "trailer") or draw(st.booleans()) else content


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


def idx(content: bytes, directory: Path) -> bool:
    """Read one file, and check the peak memory of the reader."""
    path = directory / "file"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        array = read_idx(path)
    except InputError as error:
        check_one_line(error)
        return False
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # Deflate compresses up to 1032 times. The reader's buffer is in memory once, and twice while it grows. 1 MB is for everything else.
        assert peak < 2 * 1032 * len(content) + 1_000_000, f"{peak:,} bytes of memory for a file of {len(content):,}"
    plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    assert bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes() == plain
    return True


_PARTS = {
    "train-images-idx3-ubyte": (6, 2, 3),
    "train-labels-idx1-ubyte": (6,),
    "t10k-images-idx3-ubyte": (2, 2, 3),
    "t10k-labels-idx1-ubyte": (2,),
}
directories = st.fixed_dictionaries({name: idx_files(shape) for name, shape in _PARTS.items()})


def dataset(files: dict[str, bytes], directory: Path) -> bool:
    """Read the four files of a dataset."""
    for name, content in files.items():
        (directory / name).write_bytes(content)
    try:
        splits = read_directory(directory)
    except InputError as error:
        check_one_line(error)
        return False
    for data in splits:
        assert data.images.shape == (len(data), splits.training.images.shape[1])
        assert 0 <= data.images.min() <= data.images.max() < 1
        assert 0 <= data.labels.min() <= data.labels.max() < data.classes
    return True
