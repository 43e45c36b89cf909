"""`python -m bench anatomy`: where an epoch's time goes."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.arguments import Commands
from bench.commands.console import ROWS_KEPT, print_files
from bench.commands.run import pytest_command
from bench.options import Options, declare, parse, spelled
from impls import InputError

if TYPE_CHECKING:
    from bench.anatomy.answer import Anatomy
    from bench.system.line_runner import Ended

_MEASURING = ("--trainers", "--workload", "--batch-size", "--hidden", "--dtype", "--examples", "--rounds", "--warm-up", "--patience",
              "--threads", "--seed", "--data", "--split", "--results", "--machine", "--no-charts")  # fmt: skip
_DEFAULT = {"--threads": "1"}  # the parts add up on one thread; with more, calls and arithmetic share the processors differently
_USAGE = 4  # pytest's exit code


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser(
        "anatomy",
        help="show where an epoch's time goes: arithmetic, memory, calls, the rest",
        description="Times the trainers and measures their calls. With CSV files, it measures nothing and breaks down their epochs.",
    )
    parser.add_argument("csv", nargs="*", type=Path, metavar="CSV", help="break down the epochs of these CSVs, measured with --anatomy")
    declare(parser.add_argument, *_MEASURING, defaults=_DEFAULT)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("-o", dest="directory", type=Path, metavar="DIR", help="with CSV files, write the chart to DIR")
    parser.set_defaults(run=run, interrupted=ROWS_KEPT)


def run(given: argparse.Namespace) -> int:
    """Print the breakdown; return 1 if a case failed."""
    from bench.anatomy.answer import anatomy

    if given.json and given.markdown:
        raise InputError("--json and --markdown", "give one or the other")
    measuring = spelled(given, without=())
    if given.csv and measuring:
        raise InputError(measuring[0], "applies to a measurement", "leave out the CSV files, or this option")
    if given.directory and not given.csv:
        raise InputError(f"-o {given.directory}", "applies to CSV files", "give --results DIR for a measurement")
    beside, code = given.json or given.markdown, 0
    if given.csv:
        answer = anatomy(given.csv)
    else:
        measured, code = _measure(given)
        if measured is None:
            return code
        answer = measured
    print(answer.json() if given.json else answer.markdown() if given.markdown else answer.text())
    if given.directory:
        from bench.plot import charts

        print_files(charts.draw_anatomy(answer, given.directory), beside=beside)
    return code


def _measure(given: argparse.Namespace) -> tuple[Anatomy | None, int]:
    """Time the trainers in a child process, then look into those that allow it. Return the anatomy and the exit code."""
    from bench.anatomy.answer import anatomy

    if given.bench_threads is None:
        given.bench_threads = _DEFAULT["--threads"]
    options = parse(given, results=Path("results/local"))
    before = set(options.results.glob("*.csv"))
    ended = _timed(given)
    new = [path for path in options.results.glob("*.csv") if path not in before and not path.name.endswith(".partial.csv")]
    if not new:
        return None, 2 if ended.code == _USAGE else 1
    return _looked_into(anatomy(new), options), 1 if ended.code else 0


def _timed(given: argparse.Namespace) -> Ended:
    from bench.system import own_code
    from bench.system.launcher import without_launcher
    from bench.system.line_runner import run_lines

    command = pytest_command(["--benchmark-only", "--anatomy", *spelled(given, without=())])
    environment = own_code.environment(without_launcher(os.environ))
    return run_lines(command, env=environment, seconds=float("inf"), line=lambda line: print(line, file=sys.stderr, flush=True))


def _looked_into(answer: Anatomy, options: Options) -> Anatomy:
    """Measure the operations, the timelines and the stages of the trainers that were timed, as far as each trainer allows it."""
    from bench.anatomy import gpu_timeline, operations, stage_clocks
    from bench.machine import affinity
    from bench.machine.roofline import Peaks
    from bench.verify.verification import whole_epoch
    from impls import Unsupported, load_trainer

    affinity.limit_threads(options.threads)
    workloads = {workload.name: workload for workload in options.workloads}
    splits, found, timelines, clocks = options.splits(), [], [], []
    for (configuration, job), trainers in answer.breakdowns.items():
        epoch = whole_epoch(workloads[job.workload], splits)
        for name in trainers:
            kind = load_trainer(name)
            if operations.has_operations(kind):
                row = answer.timings.rows[configuration, job, name]
                found.append((job, operations.measure(name, kind, epoch), Peaks(row["peak_flops"], row["peak_bytes"])))
            elif kind.device == "gpu":
                if timeline := gpu_timeline.measure(kind, epoch):
                    timelines.append((job, name, timeline))
                if name in stage_clocks.CLOCKED:
                    with suppress(Unsupported):  # the clocks take space that a large network needs
                        clocks.append((job, name, stage_clocks.measure(stage_clocks.CLOCKED[name](kind), epoch)))
    return replace(answer, operations=found, timelines=timelines, clocks=clocks)
