"""Tests of the loader: MNIST with the book's split, other IDX files, and invalid files."""

import gzip
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impls import TRAINERS, Dataset, InputError, Network, load_trainer, read_directory, read_idx, unavailable
from impls.dataset import DATA
from impls.testing.material import same_bits, trained
from tests.support.refusals import refused


def idx(array, *, shape=None):
    """Return the bytes of an IDX file with this array. `shape` replaces the sizes in its header."""
    array = np.asarray(array, np.uint8)
    shape = array.shape if shape is None else shape
    return bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture
def directory(tmp_path):
    """A directory with a dataset of 4 x 5 pixels in 3 classes: 60 training and 12 test examples."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 60), ("t10k", 12)):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(rng.integers(0, 256, (count, 4, 5))))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count) % 3))
    return tmp_path


def test_mnist_is_split_as_in_the_book(mnist):
    assert [len(data) for data in mnist] == [50_000, 10_000, 10_000]
    for data in mnist:
        assert data.images.shape[1] == 784
        assert data.images.dtype == np.float32
        assert data.classes == 10
        assert data.name == "mnist"
    pixels = mnist.training.images[:100] * 256
    assert np.array_equal(pixels, pixels.astype(np.uint8)), "a pixel is its byte over 256"
    assert mnist.training.images.min() == 0
    assert mnist.training.images.max() == np.float32(255 / 256)
    assert mnist.training.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.test.labels[:5].tolist() == [7, 2, 1, 0, 4]


def test_each_seed_and_epoch_has_its_own_random_order(small):
    orders = [tuple(small.order(seed=seed, epoch=epoch)) for seed in range(3) for epoch in range(3)]
    assert all(sorted(order) == list(range(23)) for order in orders)
    assert len(set(orders)) == 9
    assert orders[0] == tuple(small.order(seed=0, epoch=0))


@pytest.mark.parametrize(
    ("images", "labels", "ending"),
    [
        ("{}-images-idx3-ubyte", "{}-labels-idx1-ubyte", ""),
        ("{}-images-idx3-ubyte.gz", "{}-labels-idx1-ubyte.gz", ""),
        ("{}-images.idx3-ubyte", "{}-labels.idx1-ubyte", ""),
        ("emnist-letters-{}-images-idx3-ubyte.gz", "emnist-letters-{}-labels-idx1-ubyte.gz", "test"),
    ],
    ids=["plain", "gzipped", "dots", "EMNIST"],
)
def test_reads_the_file_names_of_published_datasets(directory, images, labels, ending):
    for part in ("train", "t10k"):
        for name, kind in ((images, "images-idx3"), (labels, "labels-idx1")):
            content = (directory / f"{part}-{kind}-ubyte").read_bytes()
            (directory / f"{part}-{kind}-ubyte").unlink()
            name = name.format(ending if ending and part == "t10k" else part)
            (directory / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    splits = read_directory(directory)
    assert [len(data) for data in splits] == [50, 10, 12]
    assert splits.training.images.shape == (50, 20)
    assert splits.training.classes == 3
    assert splits.training.name.startswith("idx-")


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        (b"", ["0x;", "0x00000803"]),
        (b"PNG!", ["0x504e4721", "0x00000803"]),
        (b"\x00\x00\x0d\x01" + bytes(8), ["float32", "unsigned bytes"]),
        (b"\x00\x00\x0b\x03" + bytes(8), ["int16", "unsigned bytes"]),
        (b"<!DOCTYPE html>", ["HTML"]),
        (idx(np.zeros((60, 4, 4, 3))), ["(60, 4, 4, 3)", "(n, height, width)"]),
        (b"\x00\x00\x08\x03\x00", ["header"]),
        (idx(np.zeros((60, 4, 5)))[:-1], ["truncated", "1,199", "1,200"]),
        (gzip.compress(idx(np.zeros((60, 4, 5)))[:-1]), ["truncated", "1,199", "1,200"]),
        (idx(np.zeros((60, 4, 5))) + b"x", ["oversized", "1,200"]),
        (idx([], shape=(2**32 - 1, 2**16, 2**16)), ["4294967295 x 65536 x 65536"]),
        (gzip.compress(idx([], shape=(2**32 - 1, 2**16, 2**16))), ["4294967295 x 65536 x 65536"]),
        (gzip.compress(idx(np.zeros((60, 4, 5))))[:-9], ["read"]),
        (gzip.compress(idx(np.zeros((60, 4, 5))))[:-8] + bytes(8), ["read"]),
        (b"\x1f\x8bnothing of the kind", ["read"]),
        (idx(np.zeros((60, 20))), ["(60, 20)", "3 dimensions"]),
        (idx(np.zeros((0, 4, 5))), ["empty", "0 x 4 x 5"]),
        (idx(np.zeros((59, 4, 5))), ["59 images", "60 labels"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_error_names_the_invalid_file_and_the_problem(directory, content, facts):
    path = directory / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with refused(path, *facts):
        read_directory(directory)


def test_the_error_names_both_files_if_their_images_differ_in_size(directory):
    (directory / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((60, 4, 4))))
    with refused(directory / "t10k-images-idx3-ubyte", "20 pixels", directory / "train-images-idx3-ubyte", 16):
        read_directory(directory)


def test_the_error_names_missing_and_ambiguous_files(directory):
    (directory / "train-labels-idx1-ubyte.gz").write_bytes(b"")
    with refused(directory, "train-labels-idx1-ubyte, train-labels-idx1-ubyte.gz"):
        read_directory(directory)
    for path in directory.glob("train-labels*"):
        path.unlink()
    with refused(directory, "train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz"):
        read_directory(directory)
    with refused(directory / "nowhere", "directory"):
        read_directory(directory / "nowhere")


@given(content=st.binary(max_size=200) | st.binary(max_size=40).map(lambda rest: b"\x00\x00\x08\x01\x00\x00\x00\x20" + rest))
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_an_array_or_an_input_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any"
    for stored in (content, gzip.compress(content)):
        path.write_bytes(stored)
        try:
            array = read_idx(path)
        except InputError:
            continue
        assert idx(array) == content or content[2] != 8  # other labels are converted


def test_an_altered_mnist_is_an_error_if_embedded_and_has_another_name_elsewhere(tmp_path):
    shutil.copytree(DATA.parent, tmp_path / "impls")
    labels = tmp_path / "impls" / "data" / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(labels.read_bytes()))
    content[8] ^= 1
    labels.write_bytes(gzip.compress(content))
    program = "import impls\ntry: impls.mnist()\nexcept impls.InputError as error: print(error)"
    output = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "t10k-labels-idx1-ubyte.gz: SHA-256" in output
    assert output.count("\n") == 1
    assert read_directory(tmp_path / "impls" / "data").training.name.startswith("idx-")


def test_a_dataset_validates_its_arrays():
    images = np.zeros((3, 4))
    assert Dataset(images, np.array([0, 2, 1])).classes == 3
    for wrong in (np.zeros(2, int), np.zeros((3, 1), int)):
        with pytest.raises(InputError):
            Dataset(images, wrong)
    with refused("label 3", "3 classes"):
        Dataset(images, np.array([0, 3, 1]), classes=3)
    with refused("label -1", "2 classes", "0 to 1"):
        Dataset(images, np.array([0, -1, 1]))
    with refused("4 examples", "1 to 3"):
        Dataset(images, np.array([0, 2, 1])).first(4)


# --- arrays of your own -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "dtype"),
    [
        (lambda pixels: pixels.astype(">f4"), "float32"),
        (lambda pixels: pixels.astype(np.longdouble), "float64"),
        (lambda pixels: pixels.astype(np.float16), "float32"),
        (lambda pixels: pixels.astype(np.uint8), "float32"),
        (lambda pixels: pixels.astype(np.int64), "float64"),
        (lambda pixels: pixels[::-1, ::-1][::-1, ::-1], "float64"),
        (np.asfortranarray, "float64"),
        (np.ndarray.tolist, "float64"),
    ],
    ids=["big-endian", "longdouble", "float16", "uint8", "int64", "negative strides", "Fortran order", "lists"],
)
@pytest.mark.parametrize("name", [name for name in TRAINERS if unavailable(name) is None])
def test_every_trainer_trains_on_images_of_any_dtype_and_layout(made, dtype, name):
    pixels = np.random.default_rng(0).integers(0, 5, (23, 6)).astype(float)
    usual, odd = Dataset(pixels, np.arange(23) % 3), Dataset(made(pixels), (np.arange(23) % 3).astype(">u2"))
    assert (odd.images.dtype, odd.images.flags.c_contiguous) == (np.dtype(dtype), True)
    one, other = (trained(load_trainer(name), Network.scaled([6, 4, 3]), data, batch_size=4) for data in (usual, odd))
    assert same_bits(one, other)


def test_images_and_labels_that_no_trainer_understands_are_refused():
    images, labels = np.ones((3, 2)), np.zeros(3, int)
    for value in (np.nan, np.inf, -np.inf):
        damaged = images.copy()
        damaged[1, 0] = value
        with refused("images", "pixel 0", "image 1", str(value)):
            Dataset(damaged, labels)
    with refused("images", "complex128"):
        Dataset(images.astype(complex), labels)
    with refused("images", "<U3"):
        Dataset(images.astype("<U3"), labels)
    with refused("labels", "float64", "astype(int)"):
        Dataset(images, labels.astype(float))


def test_the_first_examples_are_views(small):
    first = small.first(5)
    assert len(first) == 5
    assert first.classes == small.classes
    assert np.shares_memory(first.images, small.images)
