"""Cache of compiled files, shared by test sessions."""

import hashlib
import os
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".pytest_cache" / "d" / "compiled"  # `pytest --cache-clear` empties it


def cached(make, *inputs):
    """Return the path of a file that make(path) writes, unless it is in the cache. `inputs` is everything that the content depends on."""
    file = FOLDER / hashlib.sha256("\0".join(map(str, inputs)).encode()).hexdigest()
    if not file.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(f".{os.getpid()}")
        make(temporary)
        temporary.replace(file)
    return file
