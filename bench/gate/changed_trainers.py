"""The default base of a comparison, and the trainers whose code differs from a base."""

from __future__ import annotations

import ast
from pathlib import Path

from bench.paired.checkout import differing, home, run_git
from impls import TRAINERS, InputError

_PACKAGE = Path("impls", "__init__.py")


def merge_base() -> str:
    """Return the merge base of HEAD with the main branch. Raises InputError if this clone lacks the main branch or the merge base."""
    for main in ("origin/HEAD", "origin/main", "origin/master", "main", "master"):
        try:
            tip = run_git("rev-parse", "--verify", "--quiet", f"{main}^{{commit}}").strip()
        except InputError:
            continue
        try:
            return run_git("merge-base", "HEAD", tip).strip()
        except InputError as error:
            if run_git("rev-parse", "--is-shallow-repository").strip() == "true":
                fix = "this clone is shallow, so run git fetch --unshallow (actions/checkout: fetch-depth: 0)"
            else:
                fix = "give --base REVISION"
            raise InputError("--base", f"HEAD and {main} have no common commit in this clone", fix) from error
    run_git("rev-parse", "HEAD")  # raises outside a git repository
    raise InputError(
        "--base",
        "no main branch in this clone",
        "give --base REVISION, or run git fetch origin main:main (actions/checkout: fetch-depth: 0)",
    )


def changed(base: str) -> list[str]:
    """Return the trainers whose code in the working tree differs from the base's.

    The code of a trainer is its file, the files of impls that it imports, its registered class, and the rest of impls/__init__.py, which
    runs in every process. A file that is not Python, such as a kernel's source, belongs to the trainers whose code contains its name.
    """
    differ = differing(base, "impls")
    others = {path.name for path in differ if path.suffix != ".py"}
    before = TRAINERS
    if _PACKAGE in differ:
        here, there = (home() / _PACKAGE).read_text(encoding="utf-8"), run_git("show", f"{base}:{_PACKAGE.as_posix()}")
        if _without_trainers(here) != _without_trainers(there):
            return list(TRAINERS)
        before = _registered(there)
    names = []
    for name, where in TRAINERS.items():
        code = _imported(where.partition(":")[0])
        if before.get(name, where) != where or differ & code.keys() or any(other in text for other in others for text in code.values()):
            names.append(name)
    return names


def _registered(package: str) -> dict[str, str]:
    """Return the TRAINERS of the text of an impls/__init__.py; empty if it does not assign them a dict literal."""
    for node in ast.parse(package).body:
        if isinstance(node, ast.Assign) and _assigns_trainers(node) and isinstance(node.value, ast.Dict):
            return {str(name): str(where) for name, where in ast.literal_eval(node.value).items()}
    return {}


def _without_trainers(package: str) -> str:
    """Return the code of an impls/__init__.py without the assignment of TRAINERS, docstrings of the module, and comments."""
    try:
        body = ast.parse(package).body
    except SyntaxError:  # the verdict reports it
        return package
    return "\n".join(ast.unparse(node) for node in body if not _assigns_trainers(node) and not _is_text(node))


def _assigns_trainers(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TRAINERS"


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _imported(module: str) -> dict[Path, str]:
    """Return the files of a module of impls, with their text: its own file and those it imports from impls, directly or not.

    An imported file that does not exist, for example after a rename, has an empty text. The package's __init__.py is left out.
    """
    root = home()
    code: dict[Path, str] = {}
    waiting = [module]
    while waiting:
        path = Path(*waiting.pop().split(".")).with_suffix(".py")
        if path in code:
            continue
        code[path] = (root / path).read_text(encoding="utf-8") if (root / path).is_file() else ""
        try:
            tree = ast.parse(code[path])
        except SyntaxError:  # the trainer's verdict reports it
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("impls"):
                waiting += [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
            elif isinstance(node, ast.Import):
                waiting += [name.name for name in node.names]
    return code
