"""The options that the two doors share: declared once, added to pytest's parser and to argparse's, read by one function."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.workload import DEFAULT_WORKLOADS, Workload, chosen
from impls import TRAINERS, InputError

if TYPE_CHECKING:
    from impls import Splits

_DECLARED: dict[str, dict[str, Any]] = {
    "--trainers": {"metavar": "NAME,...", "help": "which to run: names, or module:Class of your own (its code is run)"},
    "--workload": {"metavar": "NAME,...", "action": "append", "help": "nielsen, wide, large, deep or huge; may be repeated"},
    "--batch-size": {"metavar": "N,...", "help": "mini-batch sizes; with --hidden, a grid instead of named workloads"},
    "--hidden": {"metavar": "N,...", "help": "widths of the hidden layer, for the grid"},
    "--dtype": {"choices": ("float32", "float64"), "default": "float32", "help": "of all arithmetic (float32)"},
    "--examples": {"metavar": "N", "help": "train on the first N images only (all; versus, gate: so many that an epoch is short)"},
    "--rounds": {"metavar": "N", "help": "timed epochs a case (as many as fit into 5 s, from 5 to 40)"},
    "--warm-up": {"metavar": "S", "help": "seconds of epochs before the timed ones, and one epoch at least (0.5)"},
    "--patience": {"metavar": "S", "help": "seconds in which a step must end, or its trainer hangs (two minutes and more, by the work)"},
    "--threads": {"metavar": "N", "help": "threads a trainer may use and processors it is pinned to (all; gate: 1)"},
    "--seed": {"metavar": "N", "default": "0", "help": "of the initial weights and the order (0)"},
    "--data": {"metavar": "DIR", "help": "four IDX files to train on, gzipped or not (the embedded MNIST)"},
    "--require": {"metavar": "NAME,...", "help": "trainers whose skip is a failure, for a machine that must have them"},
    "--results": {"metavar": "DIR", "help": "where the CSV and the charts go (results/local)"},
    "--machine": {"metavar": "NAME", "help": "what results call this machine (made of processor, cores and GPU)"},
    "--no-charts": {"action": "store_true", "help": "write the CSV only"},
}
_ALIASES = {"--trainers": ("--trainer",)}


@dataclass(frozen=True)
class Options:
    """What was asked for, parsed and checked as far as it can be without looking at the data."""

    trainers: tuple[str, ...]
    workloads: tuple[Workload, ...]
    rounds: int | None
    warm_up: float | None
    patience: int | None
    threads: int | None
    data: Path | None
    require: tuple[str, ...]
    results: Path
    machine: str | None
    charts: bool

    def splits(self) -> Splits:
        """Load the data."""
        from impls import mnist, read_directory

        return mnist() if self.data is None else read_directory(self.data)


def declare(add: Callable[..., Any], *names: str) -> None:
    """Declare the named options (none: all) with a parser's or option group's method for adding one."""
    for name in names or _DECLARED:
        add(*_ALIASES.get(name, ()), name, dest=_destination(name), **_DECLARED[name])


def parse(
    given: argparse.Namespace | Mapping[str, Any],
    *,
    results: Path,
    trainers: Sequence[str] = tuple(TRAINERS),
    workloads: Sequence[str] = DEFAULT_WORKLOADS,
) -> Options:
    """Read the declared options from a parser's result. The keywords are what stands where nothing was given.

    Raises InputError that names the option and what is wrong with its value.
    """
    values = dict(given if isinstance(given, Mapping) else vars(given))

    def value(name: str) -> Any:
        return values.get(_destination(name))

    trainers, require = _names(value("--trainers")) or trainers, _names(value("--require"))
    known = set(trainers)
    for name in require:
        if name not in known:
            raise InputError(f"--require {name}: it is not among the trainers to run, {', '.join(trainers)}")
    batch_sizes, widths = _numbers("--batch-size", value("--batch-size")), _numbers("--hidden", value("--hidden"))
    named = _names(value("--workload"))
    return Options(
        trainers=tuple(trainers),
        workloads=tuple(
            chosen(
                named if named or batch_sizes or widths else workloads,
                batch_sizes,
                widths,
                dtype=value("--dtype") or "float32",
                examples=_number("--examples", value("--examples")),
                seed=_number("--seed", value("--seed"), least=0) or 0,
            )
        ),
        rounds=_number("--rounds", value("--rounds")),
        warm_up=_seconds("--warm-up", value("--warm-up")),
        patience=_number("--patience", value("--patience")),
        threads=_number("--threads", value("--threads")),
        data=Path(value("--data")) if value("--data") else None,
        require=require,
        results=Path(value("--results")) if value("--results") else results,
        machine=value("--machine"),
        charts=not value("--no-charts"),
    )


def spelled(given: argparse.Namespace, *, without: Sequence[str]) -> list[str]:
    """Return what was given of the declared options as it would be typed, but for those that are named."""
    values = {name: vars(given).get(_destination(name)) for name in _DECLARED if name not in without}
    return [word for name, value in values.items() if value not in (None, False)
            for one in (value if isinstance(value, list) else [value]) for word in (name, *([] if one is True else [one]))]  # fmt: skip


def _destination(name: str) -> str:
    return "bench_" + name.removeprefix("--").replace("-", "_")


def _names(given: str | list[str] | None) -> tuple[str, ...]:
    text = ",".join(given) if isinstance(given, list) else given or ""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _numbers(option: str, given: str | None) -> tuple[int, ...]:
    return tuple(_whole(option, part, least=1) for part in given.split(",")) if given else ()


def _number(option: str, given: str | None, *, least: int = 1) -> int | None:
    return None if given is None else _whole(option, given, least)


def _seconds(option: str, given: str | None) -> float | None:
    if given is None:
        return None
    with suppress(ValueError):
        if 0 <= (seconds := float(given)) < float("inf"):
            return seconds
    raise InputError(f"{option} {given}: give seconds, 0 or more")


def _whole(option: str, text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise InputError(f"{option} {text}: give a whole number, {least} or more")
    if number >= 2**63:
        raise InputError(f"{option} {text[:40]}: give a whole number below 2^63")
    return number
