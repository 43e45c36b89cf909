"""The second door, `python -m bench COMMAND`: parses, calls one function for each command, turns errors into exit codes.

0 fine, 1 the answer is no, 2 bad usage or bad input, 3 could not decide.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from bench import contribute
from bench.format import plain
from bench.judging import MARGIN, SECONDS
from bench.options import declare, parse, spelled
from bench.outlet import reader_may_leave
from bench.processors import THREAD_VARIABLES
from bench.stopping import Stopped, listen
from impls import TRAINERS, InputError, unavailable

if TYPE_CHECKING:
    from bench.compare import Comparison
    from bench.history import History
    from bench.options import Options

_KEPT = "; what was finished is kept in the *.partial.csv, if there was anything"
_TOLD = "; what was measured before that is told, if there was anything"
_JOB = ("--workload", "--dtype", "--examples", "--seed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    with reader_may_leave("stdout"), reader_may_leave("stderr"):
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    given = _parser().parse_args(arguments)
    listen()
    try:
        code = int(given.run(given))
        sys.stdout.flush()  # what cannot be written is told
        return code
    except (InputError, OSError) as error:
        _refuse(error)
        return 2
    except Stopped as stopped:
        _refuse(f"interrupted{getattr(given, 'interrupted', '')}")
        return 128 + stopped.number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="epochbench",
        description="What is done with measurements. To take them: pytest bench --benchmark-only",
        formatter_class=argparse.RawDescriptionHelpFormatter,  # a command is not to be broken at its hyphens
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    plot = commands.add_parser("plot", help="draw the charts of one or more CSVs")
    plot.add_argument("csv", nargs="+", type=Path, metavar="CSV", help="or a directory: all in it")
    plot.add_argument("-o", dest="directory", type=Path, metavar="DIR", help="where the charts go (beside the first CSV)")
    plot.set_defaults(run=_plot)

    compare = commands.add_parser("compare", help="several machines in a table: who is faster, where, and what else differs")
    _take_csvs(compare)
    compare.add_argument("--baseline", metavar="MACHINE", help="whose epochs the others' are divided by (the first machine)")
    compare.add_argument("--json", action="store_true", help="as one JSON object")
    compare.add_argument("--markdown", action="store_true", help="as Markdown")
    compare.add_argument("-o", dest="directory", type=Path, metavar="DIR", help="draw charts there")
    compare.add_argument("--between", metavar="A,B", type=_two, help="the trainers whose speedup is mapped (the slowest, the fastest)")
    compare.add_argument("--over-time", action="store_true", help="instead, follow each machine's trainers over its commits")
    compare.set_defaults(run=_compare)

    check = commands.add_parser("check", help="is a CSV to be contributed whole, plausible and free of personal data?")
    check.add_argument("csv", nargs="+", type=Path, metavar="CSV")
    check.set_defaults(run=_check)

    report = commands.add_parser("report", help="one page to share: machines, trainers, maps, curves, the raw rows")
    _take_csvs(report)
    report.add_argument("-o", dest="file", type=Path, default=Path("report.html"), metavar="FILE.html", help="the page (report.html)")
    report.set_defaults(run=_report)

    train = commands.add_parser("train", help="train and show the accuracy against time")
    declare(
        train.add_argument,
        *(
            "--trainers",
            "--workload",
            "--dtype",
            "--examples",
            "--seed",
            "--data",
            "--threads",
            "--patience",
            "--results",
            "--machine",
            "--no-charts",
        ),
    )
    train.add_argument("--epochs", type=int, default=30, metavar="N", help="epochs to train (30)")
    train.add_argument("--until", type=_share, metavar="ACCURACY", help="stop at this test accuracy, 0.95 or 95%%; else exit 1")
    train.set_defaults(run=_train, interrupted=_KEPT)

    versus = commands.add_parser("versus", help="which of two is faster here and now, and by how much")
    for name in "AB":
        versus.add_argument(name.lower(), metavar=name, help="a trainer, module:Class, or either @revision")
    declare(versus.add_argument, *_JOB, "--data", "--threads", "--machine")
    versus.add_argument("--seconds", type=_seconds, default=60.0, metavar="S", help="measure at most so long (60)")
    for name in "ab":
        versus.add_argument(f"--{name}-python", metavar="EXE", help=f"the interpreter of {name.upper()} (this one)")
        versus.add_argument(
            f"--{name}-env", metavar="K=V", type=_setting, action="append", default=[], help="an environment variable for it; repeatable"
        )
    versus.add_argument("--json", action="store_true", help="as one JSON object")
    versus.add_argument("-o", dest="directory", type=Path, metavar="DIR", help="put the pairs' CSV and chart there")
    versus.set_defaults(run=_versus, interrupted=_TOLD)

    gate = commands.add_parser("gate", help="is the working tree slower than its base?")
    declare(gate.add_argument, "--trainers", *_JOB, "--data", "--threads", "--results", "--machine", "--no-charts")
    gate.add_argument("--base", metavar="REVISION", help="what to compare with (where HEAD left the main branch)")
    gate.add_argument("--margin", type=_share, default=MARGIN, metavar="SHARE", help=f"how much slower is slower ({MARGIN:.0%}%)")
    gate.add_argument("--seconds", type=_seconds, default=SECONDS, metavar="S", help=f"at most so long for each trainer ({SECONDS:.0f})")
    gate.add_argument("--strict", action="store_true", help="exit 3 if a trainer could not be judged")
    gate.add_argument("--summary", type=Path, metavar="FILE.md", help="write the table there, as Markdown")
    gate.add_argument("--json", action="store_true", help="as one JSON object")
    gate.add_argument("--self-test", action="store_true", help="instead, measure how reliable the gate is on this machine")
    gate.set_defaults(run=_gate, interrupted=_TOLD)

    scale = commands.add_parser("scale", help="under mpiexec: the same epoch over 1, 2, 4, ... ranks, and a prediction for more")
    declare(scale.add_argument, "--trainers", *_JOB, "--rounds", "--data", "--threads", "--results", "--machine", "--no-charts")
    scale.set_defaults(run=_scale, interrupted=_KEPT)

    fleet = commands.add_parser("fleet", help="under mpiexec: the main job once on every host, and which host is slow; exit 1 if one is")
    declare(fleet.add_argument)
    fleet.add_argument("--in-turn", action="store_true", help="one host after the other (all together)")
    fleet.set_defaults(run=_fleet, interrupted=_KEPT)

    contribute.add_parser(commands)

    machine = commands.add_parser("machine", help="what this machine is")
    machine.add_argument("--json", action="store_true", help="as one JSON object")
    machine.add_argument("--machine", metavar="NAME", help="what results call it")
    machine.set_defaults(run=_machine)

    trainers = commands.add_parser("trainers", help="which trainers there are; of those that cannot run here, why, and what mends it")
    trainers.add_argument("--json", action="store_true", help="as one JSON object")
    trainers.set_defaults(run=_trainers)
    return parser


def _version() -> str:
    try:
        return metadata.version("epochbench")
    except metadata.PackageNotFoundError:  # a clone that is not installed
        return "of this clone"


def _take_csvs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("csv", nargs="+", type=Path, metavar="CSV", help="a file, or a directory: all CSVs of finished runs in it")
    parser.add_argument("--skip-broken", action="store_true", help="leave files out that cannot be read, instead of refusing all")


def _plot(given: argparse.Namespace) -> int:
    from bench import plot

    _name(plot.charts(given.csv, given.directory))
    return 0


def _compare(given: argparse.Namespace) -> int:
    from bench.compare import compare
    from bench.history import history

    if given.json and given.markdown:
        raise InputError("--json and --markdown: give one or the other")
    if given.between and (given.over_time or not given.directory):
        raise InputError("--between names what is mapped in the charts of -o DIR: give that too, and no --over-time")
    if given.baseline and given.over_time:
        raise InputError("--baseline and --over-time: give one or the other; over time, each machine is held against itself")
    broken = _skipped if given.skip_broken else None
    if given.over_time:
        past = history(given.csv, broken=broken)
        if not past.courses:
            print("epochbench: no machine has timed one job at two commits, so there is no course to follow", file=sys.stderr)
            return 3
        _tell(past, given)
        if given.directory:
            from bench import plot

            _name(plot.history(past, given.directory), beside=given.json or given.markdown)
        return 0
    answer = compare(given.csv, baseline=given.baseline, broken=broken)
    _tell(answer, given)
    if given.directory:
        from bench import plot

        _name(plot.comparison(answer, given.directory, given.between), beside=given.json or given.markdown)
    if not answer.comparable:
        print(
            "epochbench: no two of these machines timed the same job, so nothing compares them; run one workload on both", file=sys.stderr
        )
        return 3
    return 0


def _refuse(error: Exception | str) -> None:
    """Say on one line why something is not done, in place of the progress."""
    _progress("")
    print(f"epochbench: {plain(str(error))}", file=sys.stderr)


def _tell(answer: Comparison | History, given: argparse.Namespace) -> None:
    """Print an answer in the form that was asked for."""
    print(answer.json() if given.json else answer.markdown() if given.markdown else answer.text())


def _name(files: Iterable[Path], *, beside: bool = False) -> None:
    """Print which files were written; beside an answer that a program or a page is to read, as errors are."""
    for file in files:
        print(plain(str(file)), file=sys.stderr if beside else sys.stdout)


def _check(given: argparse.Namespace) -> int:
    from bench import disturbances, records
    from bench.check import check

    paths = records.files(given.csv)
    complaints = [complaint for path in paths for complaint in check(path)]
    fine = [f"{path}: whole, plausible and free of personal data" for path in paths]
    disturbed = [f"{path}: {line}" for path in paths for line in disturbances.told(disturbances.found(records.read([path])))]
    print(*map(plain, [*(complaints or fine), *disturbed]), sep="\n")
    return 1 if complaints else 0


def _skipped(_: Path, error: InputError) -> None:
    _refuse(f"skipped: {error}")


def _report(given: argparse.Namespace) -> int:
    from bench.report import report

    report(given.csv, given.file, broken=_skipped if given.skip_broken else None)
    _name([given.file])
    return 0


def _train(given: argparse.Namespace) -> int:
    from bench.train import train
    from bench.verify import VerificationError

    if given.epochs < 1:
        raise InputError(f"--epochs {given.epochs}: give a whole number, 1 or more")
    options = parse(given, results=Path("results/local"), trainers=["matrix"], workloads=["nielsen"])
    try:
        return 0 if train(options, epochs=given.epochs, until=given.until) else 1
    except VerificationError as error:
        _refuse(error)
        return 1


def _versus(given: argparse.Namespace) -> int:
    from bench import records
    from bench.process import ContenderError
    from bench.versus import Side, versus

    options = parse(given, results=given.directory or Path("results/local"), trainers=[], workloads=["nielsen"])
    if given.directory:
        records.check_writable(given.directory, option="-o")
    sides = Side(given.a, given.a_python, dict(given.a_env)), Side(given.b, given.b_python, dict(given.b_env))
    try:
        answer = versus(*sides, options, seconds=given.seconds, progress=_progress)
    except ContenderError as error:
        _refuse(error)
        return 3 if error.absent else 1
    _progress("")
    print(answer.json() if given.json else answer.text())
    if given.directory:
        from bench import plot

        csv = answer.save(given.directory, options.machine)
        files = [csv, *(plot.ratios(answer.duel, answer.pairs, answer.ratio, csv.with_suffix("")) if answer.ratio.known else [])]
        if not given.json:
            _name(files)
    if isinstance(answer.broken_off, ContenderError):
        _refuse(answer.broken_off)
        return 1
    if answer.broken_off:
        raise answer.broken_off
    return 0 if answer.ratio.known else 3


def _gate(given: argparse.Namespace) -> int:
    from bench import gate, records

    options = parse(given, results=Path("results/local"), trainers=[], workloads=["nielsen"])
    if given.self_test:
        return _self_test(given, options)
    if given.summary:
        records.check_writable(given.summary.parent, option="--summary")
        if given.summary.is_dir():
            raise InputError(f"--summary {given.summary}: that is a directory; name a file")
    report = gate.gate(options, base=given.base, margin=given.margin, seconds=given.seconds, progress=_progress)
    _progress("")
    print(report.json() if given.json else report.text())
    if given.summary:
        _summarize(given.summary, report.markdown(), at_the_end=False)
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        _summarize(Path(os.environ["GITHUB_STEP_SUMMARY"]), report.markdown(), at_the_end=True)
    code = report.exit_code(strict=given.strict)
    if report.broken_off:
        if code == 1:  # the answer is no, whatever the others would have been
            return code
        raise report.broken_off
    try:
        charts = report.draw() if options.charts else []
        if not given.json:
            _name(charts)
    except OSError as error:  # the verdict stands all the same
        _refuse(f"no charts: {error}")
    return code


def _summarize(file: Path, text: str, *, at_the_end: bool) -> None:
    """Write the gate's table to a file, or say why not; the verdict stands all the same."""
    from bench import whole

    try:
        if at_the_end:
            with file.open("a", encoding="utf-8") as summary:
                summary.write(text)
        else:
            whole.write(file, text)
    except OSError as error:
        _refuse(f"no summary: {error}")


def _self_test(given: argparse.Namespace, options: Options) -> int:
    from bench import selftest
    from bench.process import ContenderError

    for option in ("--summary", "--strict"):
        if getattr(given, option.removeprefix("--")):
            raise InputError(f"{option} does not go with --self-test, which has no verdicts")
    try:
        rates = selftest.self_test(options, base=given.base, margin=given.margin, seconds=given.seconds, progress=_progress)
    except ContenderError as error:
        _refuse(error)
        return 3
    _progress("")
    print(json.dumps([asdict(rate) for rate in rates]) if given.json else selftest.text(rates))
    return 0


def _scale(given: argparse.Namespace) -> int:
    from bench.ranks import attended
    from bench.scaling import scale

    return attended(lambda: scale(lambda: parse(given, results=Path("results/local"), trainers=["mpi"])))


def _fleet(given: argparse.Namespace) -> int:
    from bench.fleet import fleet
    from bench.ranks import attended

    job = spelled(given, without=("--results", "--machine", "--no-charts"))
    return attended(lambda: fleet(lambda: parse(given, results=Path("results/local")), job, in_turn=given.in_turn))


def _progress(line: str) -> None:
    """Show a line in place of the last one, to a person who watches; an empty one takes it away."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def _machine(given: argparse.Namespace) -> int:
    from bench import blas, clock
    from bench.machine import describe

    machine, checked, ticking = describe(given.machine), blas.check(), clock.measure()
    warning = checked.warning() if checked else None
    if given.json:
        checks = {"clock": asdict(ticking), "blas_check": asdict(checked) if checked else None, "warning": warning}
        print(json.dumps({**asdict(machine), **checks}))
        return 0
    for label, value in (*machine.lines(), ("clock", str(ticking))):
        print(f"{label:<15} {value}")
    if warning:
        print(f"warning: {warning}")
    return 0


def _trainers(given: argparse.Namespace) -> int:
    reasons = {name: unavailable(name) for name in TRAINERS}
    if given.json:
        print(json.dumps(reasons))
        return 0
    for name, reason in reasons.items():
        print(f"{name:<12} {plain(reason) if reason else 'runs here'}")
    return 0


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text}: give a fraction such as 0.95, or 95%")
    return share


def _two(text: str) -> tuple[str, str]:
    one, comma, other = (part.strip() for part in text.partition(","))
    if not (one and comma and other):
        raise argparse.ArgumentTypeError(f"{text}: give two trainers, A,B")
    return one, other


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: give seconds, more than 0")
    return seconds


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text}: give NAME=VALUE")
    if name in THREAD_VARIABLES:
        raise argparse.ArgumentTypeError(f"{name}: threads are held for both alike; give --threads N")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
