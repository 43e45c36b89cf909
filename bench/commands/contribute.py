"""`python -m bench contribute`: benchmark of a machine within a time budget, as a directory that is ready to attach."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from bench.commands.arguments import Commands, minutes
from bench.options import declare, parse, spelled
from bench.system import git, own_code
from bench.system.own_command import own_command
from impls import InputError

_MINUTES = 8.0
_OPTIONS = ("--trainers", "--examples", "--rounds", "--threads", "--adapter", "--patience", "--machine", "--no-charts")


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser(
        "contribute",
        help="benchmark this machine for results/ within a time budget; run it again to continue",
        description="Measures the most valuable cases first, until the time is up. Writes one directory with CSVs, charts and a summary. "
        "If interrupted, keeps the finished cases; the same command then measures the others.",
    )
    parser.add_argument("--minutes", type=minutes, default=_MINUTES, metavar="N", help=f"stop after N minutes (default: {_MINUTES:g})")
    parser.add_argument("--allow-dirty", action="store_true", help="measure code without a clean commit; check then rejects the result")
    parser.add_argument("--results", dest="bench_results", metavar="DIR", help="make the directory MACHINE in DIR (default: results)")
    declare(parser.add_argument, *_OPTIONS)
    parser.set_defaults(run=run, interrupted="; finished cases are kept; run the same command again to measure the others")


def run(given: argparse.Namespace) -> int:
    """Measure within the time budget; return 1 if a check or a trainer failed, 3 if nothing was measured."""
    from bench.contribute.campaign import Request
    from bench.contribute.run import contribute

    root = own_code.ROOT
    commit, dirty = _code(allow_dirty=given.allow_dirty)
    options = parse(given, results=_from_here(root / "results") if commit else Path("results"), workloads=["nielsen"])
    arguments = ["contribute", "--minutes", f"{given.minutes:g}", *(["--allow-dirty"] if given.allow_dirty else [])]
    request = Request(
        options=options,
        minutes=given.minutes,
        command=f"python -m bench {shlex.join([*arguments, *spelled(given, without=['--results'])])}",
        resume_command=f"{own_command()} {shlex.join([*arguments, *spelled(given, without=[])])}",
        commit=commit,
        dirty=dirty,
        in_checkout=bool(commit) and options.results.resolve().is_relative_to(root),
    )
    return contribute(request)


def _code(*, allow_dirty: bool) -> tuple[str, bool]:
    """Return the commit of the running code, and whether the code differs from it.

    Raises InputError if `check` would later reject the result, unless allow_dirty is set.
    """
    problem, fix = "the code has no commit", "run the command in a git clone"
    try:
        if state := git.own_state():
            commit, dirty = state
            if not dirty or allow_dirty:
                return commit, dirty
            problem, fix = f"the code differs from commit {commit}", "commit or stash the changes (git stash)"
    except InputError as error:
        problem, fix = f"the commit cannot be read: {error.thing}: {error.problem}", error.fix or "make git work here"
    if not allow_dirty:
        raise InputError(own_code.ROOT, problem, f"{fix}, or add --allow-dirty (check will then reject the result)")
    return "", False


def _from_here(path: Path) -> Path:
    """Return the path relative to the working directory if it is inside, else unchanged."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
