"""Location of this suite's code, and import paths that find it and a user's modules, even if both have packages called bench or impls."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import bench
import impls

ROOT = Path(__file__).resolve().parents[2]  # the directory that contains the package bench: in a checkout, its root
IN_CHECKOUT = (ROOT / "pyproject.toml").is_file()


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which a Python process imports this suite's code from any working directory."""
    if ROOT.name in ("site-packages", "dist-packages"):  # importable anyway; in PYTHONPATH it would shadow the standard library
        return dict(given)
    return {**given, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), given.get("PYTHONPATH"))))}


def find_modules_here() -> None:
    """Make the modules of the current directory importable, with any command. Call it after this suite's packages are imported: the
    directory may have a bench/ or an impls/ of its own.
    """
    try:
        here = str(Path.cwd())
    except FileNotFoundError:  # the directory was deleted
        return
    if not {"", here} & set(sys.path):
        sys.path.insert(0, here)
    share_names(Path(here))


def share_names(*directories: Path) -> None:
    """Make the modules of a user's packages bench and impls in these directories importable. Of two with one name, this suite's is used."""
    for package in (bench, impls):
        for theirs in (directory / package.__name__ for directory in directories):
            if theirs.is_dir() and str(theirs) not in package.__path__ and not theirs.samefile(package.__path__[0]):
                package.__path__.append(str(theirs))
