"""Commands of the command line, one file each: `add_parser` declares the arguments, `run` executes and returns the exit code."""

from __future__ import annotations

from bench.commands import (
    anatomy,
    bisect,
    check,
    compare,
    contribute,
    fleet,
    gate,
    history,
    machine,
    matrix,
    plot,
    report,
    run,
    scale,
    train,
    trainers,
    versus,
)

COMMANDS = (
    run,
    anatomy,
    plot,
    compare,
    check,
    report,
    train,
    contribute,
    versus,
    gate,
    bisect,
    history,
    matrix,
    scale,
    fleet,
    machine,
    trainers,
)  # in the order of --help
