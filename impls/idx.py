"""IDX files, the format of MNIST: arrays of bytes, with their sizes in a header."""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from impls.errors import InputError

# Limits on the unpacked size of a gzipped file. MNIST's ratio is 5; a header that claims much more suggests a gzip bomb.
_SHRUNK_AT_MOST = 100  # ratio of the unpacked size to the file size
_ALWAYS_ALLOWED = 1 << 26  # bytes, for any file
_PART = 1 << 17  # bytes of one read

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}  # IDX's codes of the types of numbers
_UNSIGNED_BYTE, _INTEGER = 0x08, 0x0C


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Read an array of unsigned bytes from an IDX file, which may be gzipped.

    IDX: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a big-endian 32-bit integer,
    then the data, row-major. The function compares these sizes with the file before it reads data, and unpacks no more than they say.
    QMNIST's labels are 32-bit integers in eight columns. Of these the function returns the first, the class, as bytes.
    Raises InputError, with the name of the file and the problem.
    """
    try:
        if not path.is_file():  # reading a pipe could block forever
            raise InputError(path, "not a file", "give an IDX file")
        with path.open("rb") as raw:
            return read_stream(raw, str(path), path.stat().st_size)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error}") from error


def read_stream(raw: IO[bytes], name: str, size: int, *, compressed: bool = False) -> npt.NDArray[np.uint8]:
    """Do the work of `read_idx` on an open file.

    name        in messages
    size        bytes that it takes on disk
    compressed  whether it is compressed there, as in a zip archive, besides being gzipped
    """
    unpacked = max(size * _SHRUNK_AT_MOST, _ALWAYS_ALLOWED)
    try:
        gzipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not gzipped:
            return _read_content(name, raw, unpacked if compressed else size)
        with gzip.open(raw) as content:
            return _read_content(name, content, unpacked)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(name, f"cannot be read: {error}") from error


def _read_content(name: str, content: IO[bytes] | BufferedIOBase, at_most: int) -> npt.NDArray[np.uint8]:
    dtype, dimensions = _type(name, content.read(4))
    sizes = content.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise InputError(name, "ends inside its header", "download it again")
    shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
    expected = math.prod(shape) * dtype.itemsize
    if expected > at_most:
        raise InputError(name, f"too small for the {' x '.join(map(str, shape))} {_unit(dtype)} in its header", "download it again")
    if not expected:
        raise InputError(name, f"empty: its header says {' x '.join(map(str, shape))}", "give a file with data")
    data = bytearray()  # grows with the data that exist, so a false header allocates nothing
    while len(data) < expected and (part := content.read(min(_PART, expected - len(data)))):
        data += part
    if len(data) < expected:
        raise InputError(name, f"truncated: {len(data):,} bytes of the {expected:,} in its header", "download it again")
    if content.read(1):
        raise InputError(name, f"oversized: more than the {expected:,} bytes in its header", "download it again")
    array = np.frombuffer(data, dtype).reshape(shape)
    return array if dtype == np.uint8 else _classes(name, array)


def _type(name: str, magic: bytes) -> tuple[np.dtype[Any], int]:
    """Return the type of the numbers and the number of dimensions, or raise InputError with what the file is instead."""
    if magic[:1] == b"<":
        raise InputError(name, "an HTML or XML page, such as a server's error message", "download the file again")
    if len(magic) < 4 or magic[:2] != b"\x00\x00" or magic[2] not in _TYPES or not 1 <= magic[3] <= 4:
        raise InputError(name, f"starts with 0x{magic.hex()}", "IDX labels start with 0x00000801, IDX images with 0x00000803")
    if magic[2] == _UNSIGNED_BYTE or (magic[2] == _INTEGER and magic[3] <= 2):
        return np.dtype(_TYPES[magic[2]]), magic[3]
    raise InputError(name, _unit(np.dtype(_TYPES[magic[2]])), "convert them to unsigned bytes, for images from 0 to 255")


def _unit(dtype: np.dtype[Any]) -> str:
    return "bytes" if dtype == np.uint8 else f"numbers of type {dtype.newbyteorder('=')}"


def _classes(name: str, array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the classes of labels that are integers, (n,) or QMNIST's (n, 8), as bytes."""
    classes = array if array.ndim == 1 else array[:, 0]
    if classes.min() < 0 or classes.max() > 255:
        raise InputError(name, f"classes from {classes.min()} to {classes.max()}", "they must be from 0 to 255")
    return classes.astype(np.uint8)


def checksum(array: npt.NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the unpacked file, without copying the array: allocating a copy would take longer than the hash."""
    digest = hashlib.sha256(_header(array))
    digest.update(array.reshape(-1).data)
    return digest.hexdigest()


def _header(array: npt.NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
