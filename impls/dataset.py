"""Images and labels: the embedded MNIST, four other IDX files, or arrays of your own.

The loader uses no internet connection and no pickle, and allocates no more memory than the files justify.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from impls.errors import InputError
from impls.idx import checksum
from impls.idx_files import find
from impls.network import Array

DATA = Path(__file__).parent / "data"

# SHA-256 of the unpacked content of MNIST's four files.
MNIST_SHA256 = {
    "train-images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@dataclass(frozen=True, eq=False)
class Dataset:
    """m examples on the host.

    images   (m, n_0) numbers, one image per row; MNIST's pixels are byte/256, in [0, 1)
    labels   (m,) integers, the class of each image
    classes  number of classes (default: the largest label + 1)
    name     name in the results: "mnist", or "idx-" and the first 8 digits of a checksum

    The images become a C-contiguous array of float32 or float64, the labels one of int64. The given arrays are used if they are that
    already, and copied otherwise.
    Raises InputError if the shapes do not match, if the dataset is empty, if a label is not an integer in range(classes), or if a pixel
    is not a finite number.
    """

    images: Array
    labels: npt.NDArray[np.integer[Any]]
    classes: int = 0
    name: str = "arrays"

    def __post_init__(self) -> None:
        self._convert()
        if self.images.ndim != 2 or self.labels.ndim != 1:
            raise InputError(
                "dataset",
                f"images of shape {self.images.shape} and labels of shape {self.labels.shape}",
                "they must be (m, pixels) and (m,)",
            )
        if len(self.images) != len(self.labels):
            raise InputError("dataset", f"{len(self.images)} images and {len(self.labels)} labels", "give one label for each image")
        if not len(self.labels):
            raise InputError("dataset", "no examples", "give at least one")
        if not self.classes:
            object.__setattr__(self, "classes", int(self.labels.max()) + 1)
        if not np.isfinite([self.images.min(initial=0), self.images.max(initial=0)]).all():  # both are NaN if a pixel is
            row, pixel = np.argwhere(~np.isfinite(self.images))[0]
            raise InputError("images", f"pixel {pixel} of image {row} is {self.images[row, pixel]}", "give finite numbers")
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= self.classes:
            raise InputError(f"label {low if low < 0 else high}", f"not one of the {self.classes} classes", f"use 0 to {self.classes - 1}")

    def _convert(self) -> None:
        """Convert the arrays to the byte order, the layout and the dtypes that all trainers understand."""
        images, labels = np.asarray(self.images), np.asarray(self.labels)
        if images.dtype.kind not in "fiub":
            raise InputError("images", f"dtype {images.dtype}", "give real numbers")
        if labels.dtype.kind not in "iub":
            raise InputError("labels", f"dtype {labels.dtype}", "give integers, as with labels.astype(int)")
        single = images.dtype.itemsize <= (4 if images.dtype.kind == "f" else 2)  # float32 has room for all 16-bit integers
        object.__setattr__(self, "images", np.ascontiguousarray(images, np.float32 if single else np.float64))
        object.__setattr__(self, "labels", np.ascontiguousarray(labels, np.int64))

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, m: int) -> Dataset:
        """Return the first m examples, as views of these arrays. Raises InputError unless 1 <= m <= len(self)."""
        if not 1 <= m <= len(self):
            raise InputError(f"{m} examples", f"the dataset has {len(self):,}", f"give 1 to {len(self):,}")
        part = copy.copy(self)  # not a new Dataset, which would check every pixel again
        object.__setattr__(part, "images", self.images[:m])
        object.__setattr__(part, "labels", self.labels[:m])
        return part

    def one_hot(self, width: int, dtype: npt.DTypeLike) -> Array:
        """Return the desired outputs y, (m, width): 1 in the column of each label, 0 elsewhere."""
        y = np.zeros((len(self), width), dtype)
        y[np.arange(len(self)), self.labels] = 1
        return y

    def order(self, *, seed: int, epoch: int = 0) -> npt.NDArray[np.int64]:
        """Return a random order of the examples, (m,). It depends on the seed, the epoch and m only."""
        return np.random.default_rng([seed, epoch]).permutation(len(self))


class Splits(NamedTuple):
    """The training, validation and test examples of a dataset."""

    training: Dataset
    validation: Dataset
    test: Dataset


def mnist() -> Splits:
    """Return the embedded MNIST with the book's split: 50,000 examples for training, 10,000 for validation, 10,000 for testing.

    Raises InputError if the content of an embedded file differs from the original.
    """
    splits = read_directory(DATA)
    if splits.training.name != "mnist":
        raise InputError(DATA, "not the original MNIST", f"restore it with: git checkout -- {DATA}")
    return splits


def read_directory(directory: Path, split: str | None = None) -> Splits:
    """Read a dataset from the four IDX files of a directory, or of a zip archive. They may be gzipped.

    split  which dataset, if there are several; see `idx_files.find`

    The last sixth of the training images becomes the validation set, as in the book, which splits MNIST's 60,000.
    Raises InputError, with the name of the file, if one is missing, ambiguous or damaged, or does not match the others.
    """
    if not directory.exists():
        raise InputError(directory, "not a directory", "give a directory with the four IDX files")
    files = find(directory, split)
    arrays = {part: file.read() for part, file in files.items()}
    sums = {part: checksum(array) for part, array in arrays.items()}
    if directory == DATA:
        for part, digest in sums.items():
            if digest != MNIST_SHA256[part]:
                raise InputError(files[part], f"SHA-256 {digest} is not MNIST's {MNIST_SHA256[part]}", "restore it with git checkout")
    is_mnist = sums == MNIST_SHA256
    name = "mnist" if is_mnist else "idx-" + hashlib.sha256("".join(sums.values()).encode()).hexdigest()[:8]

    classes = 1 + max(int(arrays[part].max()) for part in ("train-labels", "t10k-labels"))

    def dataset(images: str, labels: str) -> Dataset:
        x, y = arrays[images], arrays[labels]
        for part, array, dimensions in ((images, x, 3), (labels, y, 1)):
            if array.ndim == 4 and dimensions == 3:
                raise InputError(files[part], f"an array of shape {array.shape}", "convert colour images to grey ones, (n, height, width)")
            if array.ndim != dimensions:
                raise InputError(files[part], f"an array of shape {array.shape}", f"it needs {dimensions} dimensions")
        if len(x) != len(y):
            raise InputError(files[images], f"{len(x):,} images, but {files[labels]} has {len(y):,} labels", "use files of one dataset")
        return Dataset(x.reshape(len(x), -1) * np.float32(1 / 256), y.astype(np.int64), classes, name)

    train, test = dataset("train-images", "train-labels"), dataset("t10k-images", "t10k-labels")
    if train.images.shape[1] != test.images.shape[1]:
        pixels = f"{test.images.shape[1]} pixels per image, but {files['train-images']} has {train.images.shape[1]}"
        raise InputError(files["t10k-images"], pixels, "use files of one dataset")
    kept = len(train) - len(train) // 6
    held_back = Dataset(train.images[kept:], train.labels[kept:], classes, name) if kept < len(train) else train
    return Splits(train.first(kept), held_back, test)
