"""The command `mpiexec ... python -m bench fleet`: benchmark every host of the allocation once, write one CSV, and report slow hosts.

The first rank of each host runs `pytest bench --benchmark-only` in a separate process, on all processors that the host's ranks may use.
The other ranks sleep. The command compares the epochs of a host with those of the other hosts. The host is slow if the interval of one
ratio is above RUN_TO_RUN_TOLERANCE: two runs on one machine differ by up to that. The CSV numbers the machines and contains no host names.
The printed table shows the host name of each machine.
"""

from __future__ import annotations

import logging
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bench
from bench import records
from bench.analysis.timings import RUN_TO_RUN_TOLERANCE, Configuration, JobKey, Timings, timings
from bench.machine import affinity
from bench.machine.identity import describe, slug
from bench.mpi import ranks
from bench.options import Options
from bench.stats.intervals import Interval, Sample
from bench.system import files
from bench.system.child import Child, describe_exit
from bench.system.launcher import without_launcher
from bench.text.numbers import counted, duration_interval, times_interval
from bench.text.tables import Table

LOG = logging.getLogger(__name__)

_POLL = 0.05  # seconds between two checks for a finished host


@dataclass(frozen=True)
class Host:
    """A host.

    number   counts from 1
    name     host name, for the terminal only
    machine  its name in the CSV
    rank     the rank that runs the benchmark there
    """

    number: int
    name: str
    machine: str
    rank: int


@dataclass(frozen=True)
class Outcome:
    """The result of the benchmark on a host.

    code        exit code of pytest
    last_lines  its failures, or the last line that it printed
    csv         text of its CSV; empty if it has no rows
    """

    host: Host
    code: int
    last_lines: str
    csv: str


def fleet(asked: Callable[[], Options], job: Sequence[str], *, in_turn: bool) -> int:
    """Run `pytest bench` on every host and return the exit code: 1 if a host failed or is slow.

    asked    parses the options
    job      the options for `pytest bench`, as the user typed them
    in_turn  run the hosts one at a time, if they share a resource; else all at once
    """
    every = ranks.started("fleet")
    options = ranks.on_all_ranks(every, asked)
    ranks.on_all_ranks(every, lambda: records.check_writable(options.results))
    hosts, here = _hosts(every, options.machine)
    mine = here if here.rank == every.rank else None
    path = options.results / f"{every.bcast(records.new_id(datetime.now(UTC)))}-fleet.csv"
    finished: list[Outcome] = []

    def collected(outcome: Outcome) -> None:
        finished.append(outcome)
        if outcome.csv:
            _write(path.with_suffix(".partial.csv"), finished)
        LOG.info(f"[{len(finished)}/{len(hosts)}] {outcome.host.name}: {'measured' if outcome.code == 0 else outcome.last_lines}")

    if every.rank == 0:
        LOG.info(
            f"{counted(len(hosts), 'host')}, {'one at a time' if in_turn else 'all at once'}: {', '.join(host.name for host in hosts)}"
        )
    for turn in [[host] for host in hosts] if in_turn else [hosts]:
        child = _Job(mine, job, path.with_name(f"{path.stem}-{mine.number}")) if mine in turn else None
        waited = sum(host.rank != 0 for host in turn) if every.rank == 0 else 0
        while child or waited:
            if child and (outcome := child.outcome()):
                child = None
                if every.rank == 0:
                    collected(outcome)
                else:
                    every.send(outcome, 0)
            elif waited and every.iprobe():
                collected(every.recv())
                waited -= 1
            else:
                time.sleep(_POLL)
        ranks.quiet_barrier(every)
    code = 0
    if every.rank == 0:
        code = _report(path, sorted(finished, key=lambda outcome: outcome.host.number))
    return int(every.bcast(code))


def _hosts(every: Any, machine: str | None) -> tuple[list[Host], Host]:
    """Return all hosts, in the order of their first ranks, and this host. Let this process use all processors of this host's ranks."""
    gathered = every.allgather((platform.node(), describe(machine).machine, affinity.processors()))
    hosts: dict[str, Host] = {}
    for rank, (name, called, _) in enumerate(gathered):
        if name not in hosts:
            number = len(hosts) + 1
            hosts[name] = Host(number, name, slug(called, ending=f"-{number}"), rank)
    affinity.pin(sorted({processor for name, _, available in gathered if name == platform.node() for processor in available}))
    return list(hosts.values()), hosts[platform.node()]


class _Job:
    """The benchmark on this host, in a process that is not an MPI rank and that ends with this process."""

    def __init__(self, host: Host, job: Sequence[str], directory: Path) -> None:
        self._host, self._directory = host, directory
        pytest = [sys.executable, "-m", "pytest", str(Path(bench.__file__).parent), "-p", "no:cacheprovider", "--benchmark-only"]
        self._child = Child(
            [*pytest, *job, "--no-charts", "--results", str(directory), "--machine", host.machine],
            env=without_launcher(os.environ),
            ends_with_parent=True,
        )

    def outcome(self) -> Outcome | None:
        """Return the result, or None while the benchmark runs."""
        code = self._child.poll()
        if code is None:
            return None
        output = self._child.output()
        self._child.end()
        files = sorted(self._directory.glob("*.csv")) if self._directory.is_dir() else []
        csv = files[0].read_text(encoding="utf-8") if files else ""
        shutil.rmtree(self._directory, ignore_errors=True)
        last_lines = [line for line in output if line.startswith(("FAILED", "ERROR"))] or output[-1:]
        return Outcome(self._host, code, "; ".join(last_lines) or describe_exit(code), csv)


def _write(path: Path, finished: Sequence[Outcome]) -> None:
    """Write the rows of the finished hosts, in the order of their numbers, under one header."""
    lines = [line for outcome in sorted(finished, key=lambda outcome: outcome.host.number) for line in outcome.csv.splitlines()]
    files.atomic_write(path, "".join(f"{line}\n" for i, line in enumerate(lines) if i == 0 or line != lines[0]))


def _report(path: Path, finished: Sequence[Outcome]) -> int:
    """Rename the partial file, print the tables, and return the exit code."""
    failed = [outcome for outcome in finished if outcome.code]
    if not any(outcome.csv for outcome in finished):
        LOG.info("epochbench: fleet: no host measured a case")
        return 1
    path.with_suffix(".partial.csv").replace(path)
    times = timings(records.read([path]))
    names = {outcome.host.machine: outcome.host.name for outcome in finished}
    for job in times.jobs:
        LOG.info(f"\n{_table(times, job, names).text()}")
    slow = list(slow_hosts(times))
    LOG.info("")
    for machine, cases, (trainer, job, ratio) in slow:
        LOG.info(
            f"slow: {names[machine]} ({machine}): {job.workload} {trainer} takes {times_interval(ratio)} as long as on the other hosts; "
            f"slow in {counted(cases, 'case')}"
        )
    for outcome in failed:
        LOG.info(f"FAILED {outcome.host.name} ({outcome.host.machine}): {outcome.last_lines}")
    if not slow and len(names) > 1:
        LOG.info(f"all hosts agree within {RUN_TO_RUN_TOLERANCE - 1:.0%}")
    LOG.info(str(path))
    return int(bool(slow or failed))


def slow_hosts(times: Timings) -> list[tuple[str, int, tuple[str, JobKey, Interval]]]:
    """Return the slow machines, slowest first: name, number of slow cases, and the worst case with its ratio to the other machines.

    The denominator of the ratio is the median of the other machines' medians, so one slow host does not make the others look fast.
    """
    slow_cases: dict[str, list[tuple[str, JobKey, Interval]]] = {}
    for job in times.jobs:
        for trainer in times.trainers(job):
            samples = {configuration: timed[trainer] for configuration, timed in times.of(job).items() if trainer in timed}
            for configuration, mine in samples.items():
                others = [run for other, sample in samples.items() if other.machine != configuration.machine for run in sample.runs]
                if others and (ratio := mine.over(Sample(others))).low > RUN_TO_RUN_TOLERANCE:
                    slow_cases.setdefault(configuration.machine, []).append((trainer, job, ratio))
    worst = {machine: max(cases, key=lambda case: case[2].value) for machine, cases in slow_cases.items()}
    return [(machine, len(slow_cases[machine]), worst[machine]) for machine in sorted(worst, key=lambda name: -worst[name][2].value)]


def _table(times: Timings, job: JobKey, names: dict[str, str]) -> Table:
    trainers = times.trainers(job)

    def cells(configuration: Configuration) -> list[str]:
        timed = times.of(job)[configuration]
        return [duration_interval(timed[name].interval()) if name in timed else "-" for name in trainers]

    rows = [
        [names[configuration.machine], configuration.machine, str(configuration.threads), *cells(configuration)]
        for configuration in times.of(job)
    ]
    return Table(job.title, ["host", "machine", "threads", *trainers], rows)
