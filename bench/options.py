"""Options that pytest and the command line share: declared once, added to either parser, read by one function."""

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
    "--trainers": {
        "metavar": "NAME,...",
        "help": "run these trainers; module:Class runs your own code (default: {})",
    },
    "--workload": {
        "metavar": "NAME,...",
        "action": "append",
        "help": "train on these of nielsen, wide, large, deep and huge (default: {})",
    },
    "--batch-size": {"metavar": "N,...", "help": "benchmark a grid instead of --workload: mini-batch sizes (default with --hidden: 10)"},
    "--hidden": {
        "metavar": "N,...",
        "help": "benchmark a grid instead of --workload: widths of the hidden layer (default with --batch-size: 30)",
    },
    "--dtype": {"choices": ("float32", "float64"), "help": "set the dtype of all arithmetic (default: float32)"},
    "--examples": {"metavar": "N", "help": "train on the first N images (default: {})"},
    "--rounds": {"metavar": "N", "help": "time N rounds per case (default: as many as fit into 5 s, from 5 to 40)"},
    "--warm-up": {"metavar": "S", "help": "warm up for S seconds and at least one epoch before the rounds (default: 0.5)"},
    "--patience": {
        "metavar": "S",
        "help": "set the timeout per step in seconds (default: at least 120 for the first epoch, 30 for later ones)",
    },
    "--threads": {"metavar": "N", "help": "limit every trainer to N threads, and pin it to N processors (default: {})"},
    "--adapter": {"metavar": "NAME", "help": "compute on the adapter of WebGPU with NAME in its name; see trainers (default: the first)"},
    "--seed": {"metavar": "N", "help": "seed the initial weights and the order of the examples (default: 0)"},
    "--data": {"metavar": "DIR", "help": "train on the four IDX files in DIR, or in a zip archive (default: the embedded MNIST)"},
    "--split": {"metavar": "NAME", "help": "choose this dataset if DIR has several, such as letters"},
    "--require": {"metavar": "NAME,...", "help": "fail, rather than skip, a case of these trainers that cannot run"},
    "--results": {"metavar": "DIR", "help": "write the CSV and the charts to DIR (default: results/local)"},
    "--machine": {"metavar": "NAME", "help": "name this machine in the results (default: its processor, cores and GPU)"},
    "--no-charts": {"action": "store_true", "help": "write only the CSV"},
    "--anatomy": {"action": "store_true", "help": "measure the calls of each epoch, too; the command anatomy shows where its time goes"},
}
_ALIASES = {"--trainers": ("--trainer",)}
_DEFAULTS = {"--trainers": "all", "--workload": ",".join(DEFAULT_WORKLOADS), "--examples": "all", "--threads": "all"}  # as help texts
_ONE_WORKLOAD = {"metavar": "NAME", "help": "train on nielsen, wide, large, deep or huge (default: {})"}


@dataclass(frozen=True)
class Options:
    """Parsed options, checked as far as possible without the data."""

    trainers: tuple[str, ...]
    workloads: tuple[Workload, ...]
    rounds: int | None
    warm_up: float | None
    patience: int | None
    threads: int | None
    data: Path | None
    split: str | None
    require: tuple[str, ...]
    results: Path
    machine: str | None
    charts: bool
    anatomy: bool

    def splits(self) -> Splits:
        """Load the data."""
        from impls import mnist, read_directory

        return mnist() if self.data is None else read_directory(self.data, self.split)

    def only_workload(self, command: str) -> Workload:
        """Return the workload of a command that takes one. Raises InputError if there are several."""
        if len(self.workloads) > 1:
            names = ",".join(workload.name for workload in self.workloads)
            raise InputError(f"--workload {names}", f"{command} takes one workload, not {len(self.workloads)}")
        return self.workloads[0]

    def only_trainer(self, command: str) -> str:
        """Return the trainer of a command that takes one. Raises InputError if there is not exactly one."""
        if len(self.trainers) != 1:
            raise InputError("--trainers", f"{command} takes one trainer, not {len(self.trainers)}", "give --trainers NAME")
        return self.trainers[0]


def declare(add: Callable[..., Any], *names: str, one_workload: bool = False, defaults: Mapping[str, str] | None = None) -> None:
    """Declare the named options, or all options if no names are given.

    add           the `add_argument` of an argparse parser, or the `addoption` of a pytest option group
    one_workload  whether the command takes a single workload
    defaults      help texts of the command's own defaults, by option
    """
    for name in names or _DECLARED:
        declared = _DECLARED[name] | (_ONE_WORKLOAD if one_workload and name == "--workload" else {})
        declared["help"] = declared["help"].replace("{}", ({**_DEFAULTS, **(defaults or {})}).get(name, ""))
        add(*_ALIASES.get(name, ()), name, dest=_destination(name), **declared)


def parse(
    given: argparse.Namespace | Mapping[str, Any],
    *,
    results: Path,
    trainers: Sequence[str] = tuple(TRAINERS),
    workloads: Sequence[str] = DEFAULT_WORKLOADS,
) -> Options:
    """Convert a parser's result to Options.

    results, trainers, workloads: the defaults of options that were not given
    Raises InputError for an invalid value; the message names the option.
    """
    values = dict(given if isinstance(given, Mapping) else vars(given))

    def value(name: str) -> Any:
        return values.get(_destination(name))

    trainers, require = _names(value("--trainers")) or trainers, _names(value("--require"))
    known = set(trainers)
    for name in require:
        if name not in known:
            raise InputError(f"--require {name}", "not among the trainers to run", f"choose from {', '.join(trainers)}")
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
        split=value("--split"),
        require=require,
        results=Path(value("--results")) if value("--results") else results,
        machine=value("--machine"),
        charts=not value("--no-charts"),
        anatomy=bool(value("--anatomy")),
    )


def spelled(given: argparse.Namespace, *, without: Sequence[str]) -> list[str]:
    """Return the given options as command-line arguments, except for those in `without`."""
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
    raise InputError(f"{option} {given}", "must be a number of seconds, 0 or more")


def _whole(option: str, text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise InputError(f"{option} {text}", f"must be a whole number, {least} or more")
    if number >= 2**63:
        raise InputError(f"{option} {text[:40]}", "must be a whole number below 2^63")
    return number
