"""Names that are not a trainer on either side of a comparison, such as a typing mistake."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import impls
from bench.paired.checkout import run_git
from impls import InputError


def reject_missing(trainer: str, base: str) -> None:
    """Raise InputError if neither the working tree nor the base has this trainer.

    Its module is not imported. If the module is in the repository, its text must contain the name of the class. The module of a library is
    not checked.
    """
    if trainer in impls.TRAINERS:
        return
    module, class_name = impls.locate(trainer)
    texts = [text for file in _files(module) for text in (_here(file), _at(base, file)) if text is not None]
    if not texts and find_spec(module.partition(".")[0]) is None:
        raise InputError(f"--trainers {trainer}", f"neither the working tree nor {base[:12]} has a module {module}", "correct the name")
    name = re.compile(rf"\b{re.escape(class_name.partition('.')[0])}\b")
    if texts and not any(map(name.search, texts)):
        raise InputError(
            f"--trainers {trainer}", f"neither the working tree nor {base[:12]} has {class_name} in {module}", "correct the name"
        )


def _files(module: str) -> list[Path]:
    """Return the files that a module may have in a repository."""
    path = Path(*module.split("."))
    names = path.with_suffix(".py"), path / "__init__.py"
    return [source / name for source in (Path(), Path("src")) for name in names]


def _here(file: Path) -> str | None:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else None


def _at(base: str, file: Path) -> str | None:
    try:
        return run_git("show", f"{base}:./{file.as_posix()}")
    except InputError:
        return None
