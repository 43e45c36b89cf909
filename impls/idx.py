"""IDX files, the format of MNIST: arrays of bytes, with their sizes in a header."""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np
import numpy.typing as npt

from impls.errors import InputError

# Limits on the unpacked size of a gzipped file. MNIST's ratio is 5; a header that claims much more suggests a gzip bomb.
_SHRUNK_AT_MOST = 100  # ratio of the unpacked size to the file size
_ALWAYS_ALLOWED = 1 << 26  # bytes, for any file
_PART = 1 << 17  # bytes of one read


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Read an array of unsigned bytes from an IDX file, which may be gzipped.

    IDX: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a big-endian 32-bit integer,
    then the data, row-major. The function compares these sizes with the file before it reads data, and unpacks no more than they say.
    Raises InputError, with the name of the file and the problem.
    """
    try:
        if not path.is_file():  # reading a pipe could block forever
            raise InputError(f"{path}: not a file; give an IDX file")
        with path.open("rb") as raw:
            gzipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not gzipped:
                return _read_content(path, raw, path.stat().st_size)
            with gzip.open(raw) as content:
                return _read_content(path, content, max(path.stat().st_size * _SHRUNK_AT_MOST, _ALWAYS_ALLOWED))
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _read_content(path: Path, content: BufferedIOBase, at_most: int) -> npt.NDArray[np.uint8]:
    magic = content.read(4)
    if len(magic) < 4 or magic[:3] != b"\x00\x00\x08" or not 1 <= magic[3] <= 4:
        raise InputError(f"{path}: starts with 0x{magic.hex()}; IDX labels start with 0x00000801, IDX images with 0x00000803")
    sizes = content.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise InputError(f"{path}: ends inside its header; download it again")
    shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
    expected = math.prod(shape)
    if expected > at_most:
        raise InputError(f"{path}: too small for the {' x '.join(map(str, shape))} bytes in its header; download it again")
    if not expected:
        raise InputError(f"{path}: empty: its header says {' x '.join(map(str, shape))}; give a file with data")
    data = bytearray()  # grows with the data that exist, so a false header allocates nothing
    while len(data) < expected and (part := content.read(min(_PART, expected - len(data)))):
        data += part
    if len(data) < expected:
        raise InputError(f"{path}: truncated: {len(data):,} bytes of the {expected:,} in its header; download it again")
    if content.read(1):
        raise InputError(f"{path}: oversized: more than the {expected:,} bytes in its header; download it again")
    return np.frombuffer(data, np.uint8).reshape(shape)


def checksum(array: npt.NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the unpacked file, without copying the array: allocating a copy would take longer than the hash."""
    digest = hashlib.sha256(_header(array))
    digest.update(array.reshape(-1).data)
    return digest.hexdigest()


def _header(array: npt.NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
