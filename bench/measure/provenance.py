"""The commit of each trainer's code: of this suite's checkout, or of the repository that the trainer's file is in."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bench.system import git
from bench.system.own_code import ROOT
from impls import TRAINERS, InputError, load_trainer


class Code(NamedTuple):
    """The code of a trainer. commit: empty if unknown; dirty: whether the code is in no commit, None if unknown."""

    commit: str
    dirty: bool | None


_UNKNOWN, _IN_NO_COMMIT = Code("", None), Code("", True)


def provenance(trainers: Mapping[str, str | None]) -> tuple[dict[str, Code], list[str]]:
    """Return each trainer's code, and a warning for each repository that git cannot read.

    trainers  reason why each trainer cannot run here, or None
    """
    places = {name: place for name, absent in trainers.items() if not absent and (place := _place(name))}
    states: dict[Path, tuple[str, bool]] = {}
    warnings = []
    for root in dict.fromkeys(root for root, _ in places.values()):
        try:
            states[root] = git.state(root)
        except InputError as error:
            warnings.append(f"cannot record the commit in the rows: {error}")
    code = {name: _UNKNOWN if absent or name in TRAINERS else _IN_NO_COMMIT for name, absent in trainers.items()}
    for name, (root, file) in places.items():
        if root not in states:
            code[name] = _UNKNOWN
        elif not git.ignores(root, file):  # git ignores, for example, a library in ./.venv
            commit, changed = states[root]
            code[name] = Code(commit, changed or not git.holds(root, file))
    return code, warnings


def _place(trainer: str) -> tuple[Path, Path] | None:
    """Return the root of the checkout that a trainer is in, and a file of its code; None if it is in no checkout."""
    if trainer in TRAINERS:
        return (ROOT, ROOT / "impls" / "__init__.py") if (ROOT / ".git").exists() else None
    file = getattr(sys.modules[load_trainer(trainer).__module__], "__file__", None)
    root = git.root_of(Path(file)) if file else None
    return (root, Path(file)) if root and file else None
