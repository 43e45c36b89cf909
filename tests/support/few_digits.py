"""A small dataset for tests of commands: the first digits of MNIST as four IDX files. Loading all 70,000 takes almost a second."""

import os
from pathlib import Path

from impls.dataset import DATA
from impls.idx import read_idx

FEW_DIGITS = Path(__file__).parents[2] / ".pytest_cache" / "d" / "few-digits"  # `pytest --cache-clear` empties it
_COUNTS = {"train": 2400, "t10k": 500}  # five sixths of "train" become training data, the rest validation data


def write() -> None:
    """Write the files that do not exist yet."""
    FEW_DIGITS.mkdir(parents=True, exist_ok=True)
    for part, count in _COUNTS.items():
        for kind in ("images-idx3", "labels-idx1"):
            path = FEW_DIGITS / f"{part}-{kind}-ubyte"
            if path.exists():
                continue
            array = read_idx(DATA / f"{part}-{kind}-ubyte.gz")[:count]
            temporary = path.with_suffix(f".{os.getpid()}")
            temporary.write_bytes(bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes())
            temporary.replace(path)
