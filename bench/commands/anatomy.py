"""`python -m bench anatomy`: where an epoch's time goes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.arguments import Commands
from bench.commands.console import ROWS_KEPT, print_files, refuse
from bench.commands.run import timing_run
from bench.options import Options, declare, parse, spelled
from bench.system import child_events
from bench.system.progress import progress
from bench.text.numbers import plain
from impls import InputError

if TYPE_CHECKING:
    from bench.anatomy.answer import Anatomy
    from bench.system.line_runner import Ended

_MEASURING = ("--trainers", "--workload", "--batch-size", "--hidden", "--dtype", "--examples", "--rounds", "--warm-up", "--patience",
              "--threads", "--adapter", "--seed", "--data", "--split", "--results", "--machine", "--no-charts")  # fmt: skip
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
    """Print the breakdown; return 1 if a case failed, 3 if no trainer ran, or none has a breakdown."""
    from bench import records
    from bench.anatomy.answer import anatomy

    if given.json and given.markdown:
        raise InputError("--json and --markdown", "give one or the other")
    measuring = spelled(given, without=())
    if given.csv and measuring:
        raise InputError(measuring[0], "applies to a measurement", "leave out the CSV files, or this option")
    if given.directory and not given.csv:
        raise InputError(f"-o {given.directory}", "applies to CSV files", "give --results DIR for a measurement")
    if given.directory:
        records.check_writable(given.directory, option="-o")
    answer, code = (anatomy(given.csv), 0) if given.csv else _measure(given)
    if answer is None:
        return code
    print(answer.json() if given.json else answer.markdown() if given.markdown else answer.text())
    if given.directory:
        from bench.plot import charts

        print_files(charts.draw_anatomy(answer, given.directory), beside=given.json or given.markdown)
    return code


def _measure(given: argparse.Namespace) -> tuple[Anatomy | None, int]:
    """Time the trainers in a child process, then look into those that allow it. Return the anatomy, if there is one, and the exit code."""
    from bench.anatomy.answer import anatomy

    if given.bench_threads is None:
        given.bench_threads = _DEFAULT["--threads"]
    options = parse(given, results=Path("results/local"))
    before = set(options.results.glob("*.csv"))
    ended = _timed(given)
    new = [path for path in options.results.glob("*.csv") if path not in before and not path.name.endswith(".partial.csv")]
    if not new:
        return None, 3 if not ended.code else 2 if ended.code == _USAGE else 1
    code = 1 if ended.code else 0
    try:
        answer = anatomy(new)
    except InputError:
        refuse("the calls of no trainer were measured; the warnings above say why")
        return None, code or 3
    return _looked_into(answer, options), code


def _timed(given: argparse.Namespace) -> Ended:
    """Time the trainers and measure their calls in a child process, with its output on standard error."""

    def show(line: str) -> None:
        event = child_events.parse_event(line)
        if event is None:
            progress("")
            print(line, file=sys.stderr, flush=True)
        elif "begins" in event:
            progress(f"{' '.join(event['begins'])}: timing")

    command = timing_run(["-p", "bench.measure.case_log", "--benchmark-only", "--anatomy", *spelled(given, without=())])
    return child_events.run(command, seconds=float("inf"), line=show)


def _looked_into(answer: Anatomy, options: Options) -> Anatomy:
    """Measure the operations, the timelines and the stages of the trainers that were timed, as far as each trainer allows it."""
    from bench.anatomy import gpu_timeline, operations, stage_clocks
    from bench.machine import affinity
    from bench.verify.verification import whole_epoch
    from impls import load_trainer

    affinity.limit_threads(options.threads)
    workloads = {workload.name: workload for workload in options.workloads}
    splits, found, timelines, clocks = options.splits(), [], [], []
    for (_, job), trainers in answer.breakdowns.items():
        epoch = whole_epoch(workloads[job.workload], splits)
        for name, parts in trainers.items():
            kind = load_trainer(name)
            progress(f"{job.workload} {name}: operations")
            if operations.has_operations(kind):
                with _warned(name, "operations"):
                    found.append((job, operations.measure(name, kind, epoch), parts.peaks))
            elif kind.device == "gpu":
                with _warned(name, "timeline"):
                    if timeline := gpu_timeline.measure(kind, epoch):
                        timelines.append((job, name, timeline))
                if name in stage_clocks.CLOCKED:
                    with _warned(name, "stages"):
                        clocks.append((job, name, stage_clocks.measure(stage_clocks.CLOCKED[name](kind), epoch)))
    progress("")
    return replace(answer, operations=found, timelines=timelines, clocks=clocks)


@contextmanager
def _warned(trainer: str, what: str) -> Iterator[None]:
    """Print any exception as a warning: the breakdown counts more."""
    try:
        yield
    except Exception as error:
        progress("")
        print(f"warning: {trainer}: its {what} were not measured ({plain(f'{type(error).__name__}: {error}')})", file=sys.stderr)
