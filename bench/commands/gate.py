"""`python -m bench gate`: test of the working tree for slowdowns against its base."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.arguments import JOB, SHORT_EPOCHS, Commands, counts, seconds, share
from bench.commands.console import PAIRS_SHOWN, print_files, refuse
from bench.gate import MARGIN, SECONDS
from bench.options import declare, parse
from bench.system.progress import progress
from bench.text.numbers import plain
from impls import InputError

if TYPE_CHECKING:
    from bench.options import Options


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("gate", help="test if the working tree is slower than its base")
    names = ("--trainers", *JOB, "--data", "--split", "--adapter", "--results", "--machine", "--no-charts")
    defaults = {
        "--trainers": "those whose code differs",
        "--workload": "nielsen",
        "--examples": SHORT_EPOCHS,
    }
    declare(parser.add_argument, *names, defaults=defaults)
    parser.add_argument(
        "--threads", type=counts, default=(1,), metavar="N,...", help="judge with each of these numbers of threads (default: 1)"
    )
    parser.add_argument("--base", metavar="REVISION", help="compare with this revision (default: merge base with main)")
    parser.add_argument(
        "--margin", type=share, default=MARGIN, metavar="SHARE", help=f"set the smallest slowdown to report (default: {MARGIN:.0%}%)"
    )
    parser.add_argument(
        "--seconds", type=seconds, default=SECONDS, metavar="S", help=f"limit the time per verdict (default: {SECONDS:.0f})"
    )
    parser.add_argument("--strict", action="store_true", help="exit 3 if a verdict is undecided, not comparable or not reached")
    parser.add_argument("--summary", type=Path, metavar="FILE.md", help="write the table as Markdown to FILE.md")
    parser.add_argument("--comment", type=Path, metavar="FILE.md", help="write a comment for a pull request to FILE.md")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--self-test", action="store_true", help="measure the reliability of the gate on this machine instead")
    parser.set_defaults(run=run, interrupted=PAIRS_SHOWN)


def run(given: argparse.Namespace) -> int:
    """Print the verdicts; return the report's exit code."""
    from bench import records
    from bench.gate.comment import comment
    from bench.gate.judge import gate

    options = parse(given, results=Path("results/local"), trainers=[], workloads=["nielsen"])
    if given.self_test:
        return _self_test(given, options)
    for option in ("summary", "comment"):
        if file := getattr(given, option):
            records.check_writable(file.parent, option=f"--{option}")
            if file.is_dir():
                raise InputError(f"--{option} {file}", "is a directory", "name a file")
    report = gate(options, base=given.base, threads=given.threads, margin=given.margin, seconds=given.seconds)
    progress("")
    print(report.json() if given.json else report.text())
    if report.not_judged and os.environ.get("GITHUB_ACTIONS"):
        print(f"::warning title=epochbench gate::NOT JUDGED: {plain(report.not_judged)}", file=sys.stderr if given.json else sys.stdout)
    if given.summary:
        _summarize(given.summary, report.markdown(), at_the_end=False)
    if given.comment:
        _summarize(given.comment, comment(report), at_the_end=False)
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        _summarize(Path(os.environ["GITHUB_STEP_SUMMARY"]), report.markdown(), at_the_end=True)
    code = report.exit_code(strict=given.strict)
    if report.broken_off:
        if code == 1:  # a slower or broken trainer decides, whatever the other verdicts would be
            return code
        raise report.broken_off
    try:
        charts = report.draw() if options.charts else []
        if not given.json:
            print_files(charts)
    except OSError as error:  # the verdict remains valid without charts
        refuse(f"no charts: {error}")
    return code


def _summarize(file: Path, text: str, *, at_the_end: bool) -> None:
    """Write the table to a file. Print an OSError instead of raising it: the verdict remains valid without the file."""
    from bench.system import files

    try:
        if at_the_end:
            with file.open("a", encoding="utf-8") as summary:
                summary.write(text)
        else:
            files.atomic_write(file, text)
    except OSError as error:
        refuse(f"no summary: {error}")


def _self_test(given: argparse.Namespace, options: Options) -> int:
    from bench.gate import self_test
    from bench.paired.contender import ContenderError

    for option in ("--summary", "--comment", "--strict"):
        if getattr(given, option.removeprefix("--")):
            raise InputError(option, "cannot be combined with --self-test, which has no verdicts", "remove one of them")
    if len(given.threads) > 1:
        raise InputError("--self-test", f"takes one number of threads, not {len(given.threads)}")
    options = replace(options, threads=given.threads[0])
    try:
        rates = self_test.self_test(options, base=given.base, margin=given.margin, seconds=given.seconds)
    except ContenderError as error:
        refuse(error)
        return 3
    progress("")
    print(json.dumps([asdict(rate) for rate in rates]) if given.json else self_test.table(rates).text())
    return 0
