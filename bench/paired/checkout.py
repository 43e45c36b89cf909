"""The checkout that the current directory is in, and its code at a revision, laid out in another directory."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import impls
from bench.system import git
from impls import InputError


def home() -> Path:
    """Return the directory that holds the bench/ and impls/ that run here.

    Raises InputError if the current directory is in a checkout that has others: those would be meant, and not be measured.
    """
    running, checkout = Path(impls.__file__).resolve().parent.parent, _checkout()
    if checkout and (checkout / "impls" / "trainer.py").is_file() and not checkout.samefile(running):
        raise InputError(f"the code that runs is that of {running}, not of this checkout: call python -m bench in {checkout}")
    return running


def run_git(*arguments: str) -> str:
    """Return what a git command prints, run on the checkout. Raises InputError if there is none or the command fails."""
    return git.run(_root(), *arguments).decode(errors="replace")


def commit(revision: str) -> str:
    """Return the full name of a revision's commit. Raises InputError that says what to fetch if it is not here."""
    try:
        return run_git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    except InputError as error:
        if run_git("rev-parse", "--is-shallow-repository").strip() == "true":
            remedy = f"this clone is shallow: git fetch --unshallow, or git fetch --depth=1 origin {revision}"
        else:
            remedy = "git fetch origin, or see git log --oneline"
        raise InputError(f"unknown revision {revision}: {remedy}") from error


def working_tree(*, ours: bool = False) -> str:
    """Return how to call the code as it stands: the commit, and whether it was changed; without git, just what it is.

    ours  whether it is a trainer of impls/, which are the checkout's only if it has some
    """
    if ours and _checkout() != home():
        return "as installed"
    try:
        head, changed = git.state(_root())
    except InputError:
        return "the code as it stands"
    return f"{head} with changes" if changed else head


def lay_out(directory: Path, revision: str | None, *, ours: bool) -> None:
    """Lay out today's bench/ and what a trainer is made of in the directory: a commit's impls/, or the working tree's (None).

    ours  whether it is one of impls/. Else the commit's whole tree is laid out, because the trainer may be anywhere in it, with
          today's impls/ if it has none; and the working tree is where it is, the current directory.
    Nothing is written to the repository: no worktree is registered, neither index nor stash is touched.
    """
    caches, running = shutil.ignore_patterns("__pycache__"), home()
    if revision is not None:
        try:
            archive = git.run(_root(), "archive", "--format=tar", revision, *(["impls"] if ours else []))
        except InputError as error:
            raise InputError(f"{revision} has no impls/ to run: {error}") from error
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extraction_filter = _inside
            tar.extractall(directory)
        shutil.rmtree(directory / "bench", ignore_errors=True)
    shutil.copytree(running / "bench", directory / "bench", ignore=caches)
    if not (directory / "impls").is_dir():
        shutil.copytree(running / "impls", directory / "impls", ignore=caches)


def _inside(member: tarfile.TarInfo, directory: str) -> tarfile.TarInfo | None:
    """Leave out what would lie, or link, outside of the directory."""
    try:
        return tarfile.data_filter(member, directory)
    except tarfile.FilterError:
        return None


def _root() -> Path:
    """Return the root of the checkout. Raises InputError if there is none."""
    checkout = _checkout()
    if checkout is None:
        raise InputError(f"{Path.cwd()} is no git checkout: other revisions are to be had in a clone of the repository only")
    return checkout


def _checkout() -> Path | None:
    """Return the root of the checkout: the current directory or the nearest above it that has a .git."""
    here = Path.cwd().resolve()
    return next((directory for directory in (here, *here.parents) if (directory / ".git").exists()), None)
