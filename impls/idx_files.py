"""The four IDX files of a dataset, as they are published: in a directory, below it, or in a zip archive."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from impls.errors import InputError
from impls.idx import read_idx, read_stream

# Fashion-MNIST has MNIST's file names. EMNIST and QMNIST put a name of their own first, and have "test" instead of "t10k".
_NAMES = {
    "train-images": r"(.*?)train-images[-.]idx3-ubyte(\.gz)?",
    "train-labels": r"(.*?)train-labels[-.]idx(1-ubyte|2-int)(\.gz)?",
    "t10k-images": r"(.*?)(?:t10k|test)-images[-.]idx3-ubyte(\.gz)?",
    "t10k-labels": r"(.*?)(?:t10k|test)-labels[-.]idx(1-ubyte|2-int)(\.gz)?",
}
_DEEPEST = 3  # directories below the given one: torchvision has ROOT/MNIST/raw


@dataclass(frozen=True)
class IdxFile:
    """A file in a directory, or a member of a zip archive.

    path    of the file, or of the archive
    member  name in the archive; None for a file
    depth   number of directories between the given place and the file
    """

    path: Path
    member: str | None
    depth: int

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """The name without directories."""
        return (self.member or self.path.name).rpartition("/")[2]

    def read(self) -> npt.NDArray[np.uint8]:
        """Return the array. Raises InputError, with the name of the file and the problem."""
        if self.member is None:
            return read_idx(self.path)
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as content:
                return read_stream(content, str(self), archive.getinfo(self.member).compress_size, compressed=True)
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:  # RuntimeError: it has a password
            raise InputError(self, f"cannot be read: {error}") from error


def find(place: Path, split: str | None = None) -> dict[str, IdxFile]:
    """Return the files "train-images", "train-labels", "t10k-images" and "t10k-labels" of a directory or a zip archive.

    split  the beginning of their names, or its end, if the place has several datasets: "letters" for emnist-letters-train-images-...

    If several files match, those in the fewest directories below the place are used; of these, files with the same content count as one.
    Raises InputError if a file is missing or ambiguous, or if there are several datasets and no split.
    """
    found: dict[str, list[tuple[str, IdxFile]]] = {part: [] for part in _NAMES}
    for file in _in_archive(place) if place.is_file() else _in_directory(place):
        for part, pattern in _NAMES.items():
            if match := re.fullmatch(pattern, file.name, re.IGNORECASE):
                found[part].append((match[1].rstrip("-_. ").lower(), file))
    datasets = sorted({dataset for files in found.values() for dataset, _ in files})
    chosen = _chosen(place, datasets, split)
    return {part: _one(place, part, [file for dataset, file in files if dataset == chosen]) for part, files in found.items()}


def _chosen(place: Path, datasets: list[str], split: str | None) -> str:
    """Return the dataset with that name, or the only one, or the one without a name of its own."""
    if split is None:
        if len(datasets) > 1 and "" not in datasets:
            raise InputError(place, "has several datasets", f"choose one with --split {' or --split '.join(datasets)}")
        return "" if "" in datasets or not datasets else datasets[0]
    matching = [name for name in datasets if split.lower() == name or name.endswith(f"-{split.lower()}")]
    if len(matching) != 1:
        raise InputError(
            f"--split {split}", f"{place} has {', '.join(name or 'files without a name' for name in datasets) or 'no IDX files'}"
        )
    return matching[0]


def _one(place: Path, part: str, files: list[IdxFile]) -> IdxFile:
    if not files:
        name = f"{part}-idx{3 if part.endswith('images') else 1}-ubyte"
        raise InputError(place, f"no {name} or {name}.gz", "add it, or give a directory with the four IDX files")
    nearest = sorted((file for file in files if file.depth == min(other.depth for other in files)), key=str)
    if len(nearest) > 1 and not _same(nearest):
        names = ", ".join(file.name for file in nearest)
        raise InputError(place, f"several files for {part}: {names}", "keep one, because their contents differ")
    return nearest[0]


def _same(files: list[IdxFile]) -> bool:
    """Return whether the files have the same content. A file that cannot be read differs from the others."""
    try:
        first, *others = (file.read() for file in files)
    except InputError:
        return False
    return all(np.array_equal(first, other) for other in others)


def _in_directory(place: Path) -> Iterator[IdxFile]:
    """Yield the files of a directory and of the directories below it, without the hidden ones, such as macOS's ._ files."""
    for directory, below, names in os.walk(place):
        depth = len(Path(directory).relative_to(place).parts)
        below[:] = [] if depth == _DEEPEST else [name for name in below if not name.startswith((".", "__"))]
        yield from (IdxFile(Path(directory, name), None, depth) for name in names if not name.startswith("."))


def _in_archive(place: Path) -> Iterator[IdxFile]:
    try:
        with zipfile.ZipFile(place) as archive:
            members = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(place, f"not a zip archive ({error})", "give one, or a directory with the four IDX files") from error
    for member in members:
        if not any(part.startswith((".", "__")) for part in member.split("/")):
            yield IdxFile(place, member, member.count("/"))
