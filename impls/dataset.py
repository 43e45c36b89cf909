"""Images and their labels: the embedded MNIST, any other four IDX files, or arrays of your own. The one loader.

Nothing here reaches for a network, unpickles, or allocates more than a file can hold.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import re
import zlib
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from impls.errors import InputError
from impls.network import Array

DATA = Path(__file__).parent / "data"

# SHA-256 of the unpacked content of MNIST's four files.
MNIST_SHA256 = {
    "train-images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

# Fashion-MNIST keeps MNIST's names; EMNIST puts the split's name before them and says "test" for "t10k".
_FILE_NAMES = {
    "train-images": r"train-images[-.]idx3-ubyte(\.gz)?$",
    "train-labels": r"train-labels[-.]idx1-ubyte(\.gz)?$",
    "t10k-images": r"(t10k|test)-images[-.]idx3-ubyte(\.gz)?$",
    "t10k-labels": r"(t10k|test)-labels[-.]idx1-ubyte(\.gz)?$",
}

# What a gzipped file may unpack to: gzip shrinks MNIST 5 times, and what claims much more is made to fill the memory.
_SHRUNK_AT_MOST = 100
_ALWAYS_ALLOWED = 1 << 26  # bytes
_PART = 1 << 17  # bytes that are read at a time


@dataclass(frozen=True, eq=False)
class Dataset:
    """m examples on the host.

    images   (m, n_0) floats, one image a row; MNIST's pixels are byte/256, in [0, 1)
    labels   (m,) integers, the index of each image's class
    classes  how many classes there are; by default the largest label + 1
    name     what results call it: "mnist", or "idx-" and the first digits of its checksum

    Raises InputError if the counts differ or a label is not in range(classes).
    """

    images: Array
    labels: npt.NDArray[np.integer[Any]]
    classes: int = 0
    name: str = "arrays"

    def __post_init__(self) -> None:
        if self.images.ndim != 2 or self.labels.ndim != 1:
            raise InputError(f"images must be (m, pixels) and labels (m,), not {self.images.shape} and {self.labels.shape}")
        if len(self.images) != len(self.labels):
            raise InputError(f"{len(self.images)} images but {len(self.labels)} labels: each image needs one label")
        if not len(self.labels):
            raise InputError("a dataset needs one example at least")
        if not self.classes:
            object.__setattr__(self, "classes", int(self.labels.max()) + 1)
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= self.classes:
            raise InputError(f"label {low if low < 0 else high} is outside the {self.classes} classes 0 to {self.classes - 1}")

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, m: int) -> Dataset:
        """Return the first m examples, a view. Raises InputError unless 1 <= m <= len(self)."""
        if not 1 <= m <= len(self):
            raise InputError(f"{m} examples asked for; there are {len(self):,}: ask for 1 to {len(self):,}")
        return Dataset(self.images[:m], self.labels[:m], self.classes, self.name)

    def one_hot(self, width: int, dtype: npt.DTypeLike) -> Array:
        """Return the desired outputs y, (m, width): 1 in the column of the label, else 0."""
        y = np.zeros((len(self), width), dtype)
        y[np.arange(len(self)), self.labels] = 1
        return y

    def order(self, *, seed: int, epoch: int = 0) -> npt.NDArray[np.int64]:
        """Return a shuffled order of the examples, (m,): the same for a seed and an epoch, whoever trains."""
        return np.random.default_rng([seed, epoch]).permutation(len(self))


class Splits(NamedTuple):
    """What to train on, what to choose settings with, and what to report."""

    training: Dataset
    validation: Dataset
    test: Dataset


def mnist() -> Splits:
    """Return the embedded MNIST as the book splits it: 50,000 to train on, 10,000 to validate, 10,000 to test.

    Raises InputError if an embedded file is not, byte for byte, the original.
    """
    splits = read_directory(DATA)
    if splits.training.name != "mnist":
        raise InputError(f"{DATA} does not hold the original MNIST; restore it with: git checkout -- {DATA}")
    return splits


def read_directory(directory: Path) -> Splits:
    """Return the dataset held by the four IDX files of a directory, gzipped or not, under MNIST's or EMNIST's names.

    The last sixth of the training images is set aside for validation, as the book does with MNIST's 60,000.
    Raises InputError that names the file if one is missing, ambiguous, damaged, or does not fit the others.
    """
    if not directory.is_dir():
        raise InputError(f"{directory} is not a directory; give one that holds the four IDX files")
    files = {part: _find(directory, part) for part in _FILE_NAMES}
    arrays = {part: read_idx(path) for part, path in files.items()}
    sums = {part: _checksum(array) for part, array in arrays.items()}
    if directory == DATA:
        for part, digest in sums.items():
            if digest != MNIST_SHA256[part]:
                raise InputError(f"{files[part]}: SHA-256 of the content is {digest}, MNIST's is {MNIST_SHA256[part]}; restore the file")
    is_mnist = sums == MNIST_SHA256
    name = "mnist" if is_mnist else "idx-" + hashlib.sha256("".join(sums.values()).encode()).hexdigest()[:8]

    classes = 1 + max(int(arrays[part].max()) for part in ("train-labels", "t10k-labels"))

    def dataset(images: str, labels: str) -> Dataset:
        x, y = arrays[images], arrays[labels]
        for part, array, dimensions in ((images, x, 3), (labels, y, 1)):
            if array.ndim != dimensions:
                raise InputError(f"{files[part]} holds an array of shape {array.shape}; it needs {dimensions} dimensions")
        if len(x) != len(y):
            raise InputError(f"{files[images]} holds {len(x):,} images but {files[labels]} {len(y):,} labels: they are not a pair")
        return Dataset(x.reshape(len(x), -1) * np.float32(1 / 256), y.astype(np.int64), classes, name)

    train, test = dataset("train-images", "train-labels"), dataset("t10k-images", "t10k-labels")
    if train.images.shape[1] != test.images.shape[1]:
        pixels = f"{test.images.shape[1]} pixels an image, {files['train-images']} has {train.images.shape[1]}"
        raise InputError(f"{files['t10k-images']} has {pixels}: they are not one dataset")
    kept = len(train) - len(train) // 6
    held_back = Dataset(train.images[kept:], train.labels[kept:], classes, name) if kept < len(train) else train
    return Splits(train.first(kept), held_back, test)


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Return the array of unsigned bytes that an IDX file holds, gzipped or not.

    IDX: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a big-endian 32-bit integer,
    then the data, row-major. The sizes are compared with the file before anything is read, and no more is unpacked than they say.
    Raises InputError that names the file and what is wrong with it.
    """
    try:
        if not path.is_file():  # a pipe would be waited for
            raise InputError(f"{path} is no file")
        with path.open("rb") as raw:
            gzipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not gzipped:
                return _read_content(path, raw, path.stat().st_size)
            with gzip.open(raw) as content:
                return _read_content(path, content, max(path.stat().st_size * _SHRUNK_AT_MOST, _ALWAYS_ALLOWED))
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _read_content(path: Path, content: BufferedIOBase, at_most: int) -> npt.NDArray[np.uint8]:
    magic = content.read(4)
    if len(magic) < 4 or magic[:3] != b"\x00\x00\x08" or not 1 <= magic[3] <= 4:
        raise InputError(f"{path} starts with 0x{magic.hex()}; an IDX file of labels starts with 0x00000801, one of images with 0x00000803")
    sizes = content.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise InputError(f"{path} ends inside its header; fetch it again")
    shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
    expected = math.prod(shape)
    if expected > at_most:
        raise InputError(f"{path} is too small for the {' x '.join(map(str, shape))} bytes that its header promises; fetch it again")
    if not expected:
        raise InputError(f"{path} is empty: its header says {' x '.join(map(str, shape))}, and none of them may be 0")
    data = bytearray()  # grows with what is there, whatever was promised
    while len(data) < expected and (part := content.read(min(_PART, expected - len(data)))):
        data += part
    if len(data) < expected:
        raise InputError(f"{path} is truncated: {len(data):,} bytes of the {expected:,} that its header promises; fetch it again")
    if content.read(1):
        raise InputError(f"{path} is oversized: it goes on after the {expected:,} bytes that its header promises; fetch it again")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _checksum(array: npt.NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the unpacked file, without another copy of it: fresh memory costs more than the sum."""
    digest = hashlib.sha256(_header(array))
    digest.update(array.reshape(-1).data)
    return digest.hexdigest()


def _header(array: npt.NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()


def _find(directory: Path, part: str) -> Path:
    matching = sorted(path for path in directory.iterdir() if re.search(_FILE_NAMES[part], path.name))
    if not matching:
        name = f"{part}-idx{3 if part.endswith('images') else 1}-ubyte"
        raise InputError(f"{directory} holds no {name} (or {name}.gz); the four IDX files of a dataset belong there")
    if len(matching) > 1:
        raise InputError(f"{directory} holds several files for {part}: {', '.join(path.name for path in matching)}; leave one")
    return matching[0]
