"""The git checkout of the current directory, and copies of its code at a revision."""

from __future__ import annotations

import io
import re
import shutil
import sys
import tarfile
from pathlib import Path

import impls
from bench.system import git
from impls import InputError, programs

THEIRS = "theirs"
_A_TRAINERS_BASE = Path("impls", "trainer.py")  # a package impls without this file is not this project's


def home() -> Path:
    """Return the directory that contains the running bench/ and impls/.

    Raises InputError if the current directory is in a checkout with another impls/. The user probably wants to measure that code.
    """
    running, checkout = Path(impls.__file__).resolve().parent.parent, _checkout()
    if checkout and (checkout / _A_TRAINERS_BASE).is_file() and not checkout.samefile(running):
        raise InputError(checkout, f"the running code is from {running}", f"run {programs.quoted(sys.executable)} -m bench in {checkout}")
    return running


def has_impls() -> bool:
    """Return whether the checkout has trainers of its own in impls/. Raises InputError outside a checkout."""
    return (_root() / _A_TRAINERS_BASE).is_file()


def run_git(*arguments: str) -> str:
    """Run a git command in the checkout and return its output. Raises InputError outside a checkout or if the command fails."""
    return git.run(_root(), *arguments).decode(errors="replace")


def commit(revision: str) -> str:
    """Return the full commit hash of a revision. Raises InputError, with the git fetch to run, if this clone lacks it."""
    try:
        return run_git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    except InputError as error:
        if run_git("rev-parse", "--is-shallow-repository").strip() == "true":
            remedy = f"this clone is shallow, so run {_fetch(revision)}"
        else:
            remedy = "run git fetch origin, or choose one from git log --oneline"
        raise InputError(revision, "unknown revision", remedy) from error


def _fetch(revision: str) -> str:
    """Return the command that fetches a revision into a shallow clone."""
    name = revision.removeprefix("origin/")
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", revision):
        return f"git fetch --depth=1 origin {revision}"
    if re.fullmatch(r"[0-9a-f]{4,}|.*([~^:@]|\.\.).*|HEAD", revision):  # can be resolved only in a complete history
        return "git fetch --unshallow"
    if re.fullmatch(r"v?\d[\w.]*", revision):  # the name of a release
        return f"git fetch --depth=1 origin tag {revision}"
    return f"git fetch --depth=1 origin {name}:{f'refs/remotes/{revision}' if name != revision else name}"


def working_tree(*, ours: bool = False) -> str:
    """Return a name for the code of the working tree: its commit, and whether it has changes.

    ours  whether the trainer is one of impls/; outside this checkout, its code is the installed package
    Without git, the name has no commit.
    """
    if ours and _checkout() != home():
        return "as installed"
    try:
        head, changed = git.state(_root())
    except InputError:
        return "the working tree"
    return f"{head} with changes" if changed else head


def unchanged(revision: str, *, ours: bool) -> bool:
    """Return whether the working tree's code of a trainer is that of the revision. ours: whether the trainer is one of impls/"""
    if ours and _checkout() != home():  # the installed package
        return False
    return not differing(revision, "impls" if ours else ".")


def differing(revision: str, path: str) -> set[Path]:
    """Return the files under a path that differ from the revision, or are new, relative to the root. A renamed file counts as two."""
    listed = run_git("diff", "--name-only", "--no-renames", "-z", revision, "--", path)
    listed += run_git("ls-files", "--others", "--exclude-standard", "-z", "--", path)
    return {Path(name) for name in listed.split("\0") if name}


def lay_out(directory: Path, revision: str | None, *, ours: bool) -> None:
    """Copy the running bench/ and the code of a trainer into the directory.

    revision  the commit to take the trainer's code from; None: the running impls/
    ours      whether the trainer is one of impls/. If so, only the commit's impls/ is copied. The code of another trainer may be
              anywhere, so the commit's whole tree is copied to the subdirectory THEIRS, which may have packages bench and impls of
              its own. If the tree has no impls/ with trainers, the running impls/ is copied. Without a revision, the worker imports
              such a trainer from the current directory.
    Does not write to the repository: no worktree, no change to index or stash. Raises InputError if git cannot read the commit.
    """
    caches, running = shutil.ignore_patterns("__pycache__"), home()
    if revision is not None:
        try:
            archive = git.run(_root(), "archive", "--format=tar", revision, *(["impls"] if ours else []))
        except InputError as error:
            raise InputError(revision, f"cannot read {'impls/' if ours else 'files'} of this commit: {error}") from error
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extraction_filter = _inside
            tar.extractall(directory / THEIRS)
        if (directory / THEIRS / _A_TRAINERS_BASE).is_file():
            (directory / THEIRS / "impls").rename(directory / "impls")
        elif ours:
            raise InputError(revision, "its impls/ has no trainers", "name a trainer of that repository, module:Class")
    shutil.copytree(running / "bench", directory / "bench", ignore=caches)
    if not (directory / "impls").is_dir():
        shutil.copytree(running / "impls", directory / "impls", ignore=caches)


def _inside(member: tarfile.TarInfo, directory: str) -> tarfile.TarInfo | None:
    """Skip archive members that would be written, or link, outside the directory."""
    try:
        return tarfile.data_filter(member, directory)
    except tarfile.FilterError:
        return None


def _root() -> Path:
    """Return the root of the checkout. Raises InputError if the current directory is not in one."""
    checkout = _checkout()
    if checkout is None:
        raise InputError(Path.cwd(), "not a git checkout", "run this command in a clone of the repository")
    return checkout


def _checkout() -> Path | None:
    """Return the root of the checkout of the current directory; None if there is none."""
    return git.root_of(Path.cwd())
