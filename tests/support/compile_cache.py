"""What a compiler made in an earlier session, from the same text by the same means, is not made again."""

import hashlib
import os
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".pytest_cache" / "d" / "compiled"  # `pytest --cache-clear` empties it


def kept(make, *made_from):
    """The path of what make(path) wrote; made_from is all that the content depends on."""
    file = FOLDER / hashlib.sha256("\0".join(map(str, made_from)).encode()).hexdigest()
    if not file.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(f".{os.getpid()}")
        make(beside)
        beside.replace(file)
    return file
