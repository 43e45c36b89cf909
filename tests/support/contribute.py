"""Contribution with simulated processes: a case ends at once, and advances the clock by 5 s."""

import logging
import re
import signal
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

from bench import records
from bench.contribute import campaign, estimator
from bench.contribute.campaign import Request
from bench.contribute.run import contribute
from bench.machine.affinity import available
from bench.machine.identity import describe
from bench.options import Options, parse
from bench.records import Writer
from bench.system import child_events
from bench.system.child_events import event_line
from bench.system.line_runner import Ended
from tests.support.rows import rows

EPOCHS = {"loop": 1.0, "matrix": 0.1, "compiled": 0.05, "jax_cpu": 0.2, "gpu": 0.02}
COMMIT = "abc123abc123"


class SimulatedMachine:
    """Replacement for the child processes.

    cases    titles of the started cases, in order
    what     outcome of a case, by its title: "crashes", "skipped", "failed", or an exception to raise after it
    columns  values for all rows
    """

    def __init__(self, trainers):
        self.devices = dict.fromkeys(trainers, "cpu") | ({"gpu": "gpu"} if "gpu" in trainers else {})
        self.now, self.cases, self.commands, self.what, self.columns = 0.0, [], [], {}, {}

    def run(self, command, *, seconds, line):
        option = dict(pairwise(command))
        if "bench.contribute.probe" in command:
            line(event_line(devices=self.devices, absent={"torch_cpu": "torch is not installed"}))
            return Ended(0, False, ())
        self.commands.append(command)
        end = self.now + seconds
        here = asdict(describe("box")) | {"threads": available(), "commit": COMMIT, "run_id": f"r{len(self.commands)}"} | self.columns
        if "train" in command:
            case = option["--workload"], option["--trainers"]
            return self.train(
                case, Writer(Path(option["--results"]) / f"{len(self.commands)}-training-box.csv"), int(option["--epochs"]), here
            )
        selected = [re.search(r"test_epoch\[([a-z]+|h\d+-b\d+)-(\w+)\]", word) for word in command]
        writer = Writer(Path(option["--results"]) / f"{len(self.commands)}-timing-box.csv")
        for case in [match.groups() for match in selected if match]:
            if self.now + 5 > end:
                return Ended(-signal.SIGTERM, True, ())
            self.now += 5
            self.cases.append(" ".join(case))
            line(event_line(begins=case))
            what = self.what.get(" ".join(case), "measured")
            if what == "crashes":
                return Ended(-signal.SIGSEGV, False, ("Fatal Python error: in /home/ann/x.py",))
            if what == "measured" or isinstance(what, BaseException):
                count = int(option.get("--rounds", 8))
                times = [EPOCHS[case[1]] * (1 + (i * 7 % count) / 100) for i in range(count)]
                writer.add(rows({case: times}, **here))
            outcome = what if isinstance(what, str) else "measured"
            text = {"measured": "1 s an epoch", "skipped": "it does not fit", "failed": "VerificationError: it is wrong"}
            line(event_line(ends=case, outcome=outcome, text=text.get(outcome, "")))
            if isinstance(what, BaseException):
                raise what
        writer.close()
        return Ended(0, False, ())

    def train(self, case, writer, epochs, here):
        self.now += 5
        self.cases.append(" ".join(("train", *case)))
        what = self.what.get(self.cases[-1])
        done = epochs // 2 if isinstance(what, BaseException) else epochs
        writer.add(rows({case: [EPOCHS[case[1]]] * done}, kind="training", **here))
        if isinstance(what, BaseException):
            raise what
        writer.close()
        return Ended(0, False, ())


def simulate(monkeypatch, mnist) -> SimulatedMachine:
    """Make contributions run on a simulated machine with four trainers, and return the machine."""
    machine = SimulatedMachine(["loop", "matrix", "compiled", "jax_cpu"])
    monkeypatch.setattr(Options, "splits", lambda _: mnist)
    monkeypatch.setattr(child_events, "run", machine.run)
    monkeypatch.setattr(campaign, "time", SimpleNamespace(monotonic=lambda: machine.now))
    monkeypatch.setattr(estimator, "trial", lambda workload, _: {"nielsen": 1.0, "wide": 2.0, "large": 25.0}[workload.name])
    return machine


def request(directory, minutes=60.0, **columns) -> Request:
    options = parse({"bench_machine": "box", "bench_no_charts": True}, results=directory, workloads=["nielsen"])
    command = "python -m bench contribute"
    return replace(Request(options, minutes, command, command, COMMIT, False, True), **columns)


def run(asked: Request, plan: Sequence | None = None) -> tuple[int, list[str]]:
    """Return the exit code and the lines of a contribution."""
    lines: list[str] = []
    handler, logger = logging.Handler(), logging.getLogger("bench.contribute")
    handler.emit = lambda record: lines.extend(record.getMessage().split("\n"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        return contribute(asked, plan=plan), lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def done(directory, minutes=60.0, *, plan=None, **columns) -> tuple[int, str]:
    """Return the exit code and the text of a contribution."""
    code, lines = run(request(directory, minutes, **columns), plan)
    return code, "\n".join(lines)


def cases(path: Path) -> dict[tuple[str, str], int]:
    """Return the cases in a CSV, with the number of rows of each."""
    return records.read([path]).groupby(["workload", "trainer"], sort=False).size().to_dict()
