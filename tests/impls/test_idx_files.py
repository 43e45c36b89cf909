"""Folders and archives of IDX files as they are published."""

import shutil
import struct
import zipfile

import numpy as np
import pytest

from impls import read_directory
from tests.support.refusals import refused


def images(count, seed):
    return struct.pack(">IIII", 0x803, count, 4, 5) + np.random.default_rng(seed).integers(0, 256, count * 20, np.uint8).tobytes()


def labels(count):
    return struct.pack(">II", 0x801, count) + bytes(i % 3 for i in range(count))


def write(directory, before="", test="t10k", dot="-"):
    """Write a dataset of 60 training and 12 test examples in 3 classes. before: the beginning of the files' names"""
    directory.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", 60), (test, 12)):
        (directory / f"{before}{part}-images{dot}idx3-ubyte").write_bytes(images(count, len(before)))
        (directory / f"{before}{part}-labels{dot}idx1-ubyte").write_bytes(labels(count))


def torchvision(place):
    write(place / "MNIST" / "raw")


def kaggle(place):
    """Each file also lies in a directory of its name."""
    write(place, dot=".")
    for file in list(place.iterdir()):
        below = place / file.name.replace(".", "-")
        below.mkdir()
        shutil.copy(file, below / below.name)


def macos(place):
    write(place)
    for file in list(place.iterdir()):
        (place / f"._{file.name}").write_bytes(b"\0\5\x16\7Mac OS X")


def twice(place):
    write(place)
    write(place, dot=".")


def upper_case(place):
    write(place)
    for file in list(place.iterdir()):
        file.rename(place / file.name.upper())


def qmnist(place):
    """The labels are integers in eight columns, of which the first is the class."""
    write(place, "qmnist-", "test")
    for part, count in (("train", 60), ("test", 12)):
        (place / f"qmnist-{part}-labels-idx1-ubyte").unlink()
        columns = np.full((count, 8), 7)
        columns[:, 0] = np.arange(count) % 3
        header = struct.pack(">III", 0xC02, count, 8)
        (place / f"qmnist-{part}-labels-idx2-int").write_bytes(header + columns.astype(">i4").tobytes())


@pytest.mark.parametrize("published", [torchvision, kaggle, macos, twice, upper_case, qmnist])
def test_reads_a_folder_as_it_is_published(tmp_path, published):
    published(tmp_path)
    splits = read_directory(tmp_path)
    assert [len(data) for data in splits] == [50, 10, 12]
    assert splits.training.labels.tolist() == [i % 3 for i in range(50)]


def test_reads_a_zip_archive(tmp_path):
    write(tmp_path / "folder")
    with zipfile.ZipFile(tmp_path / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._train-images-idx3-ubyte", b"Mac OS X")
        for file in (tmp_path / "folder").iterdir():
            archive.write(file, f"digits/{file.name}")
    read, same = read_directory(tmp_path / "archive.zip"), read_directory(tmp_path / "folder")
    assert np.array_equal(read.training.images, same.training.images)
    with refused(tmp_path / "folder" / "train-labels-idx1-ubyte", "zip"):
        read_directory(tmp_path / "folder" / "train-labels-idx1-ubyte")


def test_one_of_several_datasets_is_chosen_by_name(tmp_path):
    for name in ("letters", "digits"):
        write(tmp_path, f"emnist-{name}-", "test")
    with refused(tmp_path, "--split emnist-digits or --split emnist-letters"):
        read_directory(tmp_path)
    names = {read_directory(tmp_path, split).training.name for split in ("letters", "emnist-letters", "digits")}
    assert len(names) == 2
    with refused("--split mnist", "emnist-digits, emnist-letters"):
        read_directory(tmp_path, "mnist")


def test_files_with_different_contents_are_ambiguous(tmp_path):
    twice(tmp_path)
    (tmp_path / "train-images.idx3-ubyte").write_bytes(images(60, seed=9))
    with refused(tmp_path, "train-images-idx3-ubyte, train-images.idx3-ubyte"):
        read_directory(tmp_path)


def test_labels_must_fit_a_byte(tmp_path):
    write(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0xC01, 60) + np.arange(300, 360).astype(">i4").tobytes())
    with refused(tmp_path / "train-labels-idx1-ubyte", "300 to 359", "0 to 255"):
        read_directory(tmp_path)
