"""Checks and measurements for a new GPU on Linux, the most valuable first, each with a timeout and its own log.

    python -m tests.support.gpu.first_contact [STAGE ...] [--limit 470] [--out DIR]

After every stage the script packs all logs and results into DIR/first-contact.tar.gz. At the end it prints the stages that it did not
reach: pass those names to a second call. The logs contain paths and user names of this machine; the CSVs do not.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from bench.system import git, process_tree
from bench.system.signals import Stopped, listen
from impls import InputError
from tests.support.gpu.stages import CLOCKS, STAGES, Context

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 470  # seconds for all stages
LEAST = 8  # seconds; with less time left, a step does not start
MARGIN = 6  # seconds of the limit that are reserved to end and pack the last step
GRACE = 4  # seconds between SIGTERM and SIGKILL
UNSET = ("CUPY_TF32", "XLA_FLAGS", "OPENBLAS_CORETYPE", "OMP_NUM_THREADS")  # each would change the measurements
TOOLS = ("git", "nvcc", "ncu", "compute-sanitizer")


class Run:
    """Runs steps within a time limit, and writes a summary and an archive of all logs and results."""

    def __init__(self, out, limit):
        self.out, self.limit = out, limit
        self.failed, self.missed = [], []
        self._began = time.monotonic()
        for folder in ("logs", "csv", "cache"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        self._environment = _environment(out / "cache")

    def elapsed(self):
        """Return the seconds since the start."""
        return time.monotonic() - self._began

    def left(self):
        """Return the seconds left for steps."""
        return self.limit - MARGIN - self.elapsed()

    def say(self, line):
        """Print a line and add it to the summary."""
        print(line, flush=True)
        with (self.out / "summary.txt").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def stage(self, name, quick=False):
        """Run the groups of a stage, then pack."""
        for group in STAGES[name](Context(self.out, self.left(), quick)):
            if self.left() < LEAST:
                self.missed += [name] * (name not in self.missed)
                self.say(f"-- {', '.join(step.name for step in group)}: NOT REACHED")
            else:
                self.together(group)
        self.pack()

    def which(self, program):
        """Return the path of a program, or None if it is not installed."""
        return shutil.which(program, path=self._environment["PATH"])

    def together(self, steps):
        """Run steps in parallel. Skip a step whose program is not installed; that is not a failure."""
        began, available, running = time.monotonic(), self.left(), []
        try:
            for step in steps:
                if self.which(step.command[0]) is None:
                    self.say(f"-- {step.name}: {step.command[0]} is not installed")
                else:
                    running.append((step, self._start(step)))
            for step, process in running:
                most = min(step.seconds, available)
                try:
                    process.wait(max(most - (time.monotonic() - began), 0))
                    end = f"exit {process.returncode}"
                except subprocess.TimeoutExpired:
                    _end(process)
                    end = "TIMEOUT"
                self.failed += [step.name] * (end != "exit 0")
                self.say(f"-- {step.name}: {end} after {time.monotonic() - began:.0f} s of {most:.0f}")
                self._quote(step)
        finally:
            for _, process in running:
                _end(process)

    def _start(self, step):
        with self._log(step).open("w") as log:
            return subprocess.Popen(
                process_tree.ending_with_parent(step.command),  # a signal may arrive before `running` contains it
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _quote(self, step):
        """Copy lines of the step's log to the summary."""
        lines = self._log(step).read_text(encoding="utf-8", errors="replace").splitlines()
        kept = [line for line in lines if re.search(step.keep, line)] or lines
        for line in kept[-step.lines :] if step.lines else ():
            self.say(line[:420])

    def _log(self, step):
        return self.out / "logs" / f"{step.name}.log"

    def pack(self):
        """Write first-contact.tar.gz."""
        packed = self.out / "first-contact.tar.gz"
        beside = packed.with_suffix(".tmp")
        with tarfile.open(beside, "w:gz") as archive:
            for path in sorted(self.out.iterdir()):
                if path not in (packed, beside) and path.name != "cache":
                    archive.add(path, path.name)
        beside.replace(packed)


def _environment(cache):
    """Return the environment of every step, with caches in a writable folder and without the variables in UNSET."""
    caches = ("CUPY_CACHE_DIR", "CUDA_CACHE_PATH", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "TRITON_CACHE_DIR", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    environment |= {name: str(cache / name.lower()) for name in caches} | {"MPLBACKEND": "Agg", "PYTHONUNBUFFERED": "1"}
    environment["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/cuda/bin"])
    if not os.access(Path.home(), os.W_OK):
        environment["HOME"] = str(cache)
    return environment


def _end(process):
    """End a process and its children, because a kernel may hang, and a profiler starts the profiled program as a child."""
    for number, seconds in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        try:
            os.killpg(process.pid, number)
            process.wait(seconds)
        except ProcessLookupError:
            process.poll()
        except subprocess.TimeoutExpired:
            pass


def _commit():
    """Return the checkout's commit, or the reason why it is unknown and the fix."""
    try:
        commit, differs = git.state(ROOT)
    except InputError:
        return "unknown: `python -m bench check` refuses CSVs without a commit; run this in a git clone"
    return commit + (", with changes" if differs else "")


def main(arguments=None):
    """Run the command and return its exit code: 0, 1 if a step failed or was not reached, or 128 + the number of a signal."""
    listed = "\n".join(f"  {name:<11} {stage.__doc__}" for name, stage in STAGES.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.gpu.first_contact",
        description=f"{__doc__.split(chr(10))[0]}\n\nstages:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="run only these stages (default: all)")
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="S", help=f"end after S seconds (default: {LIMIT})")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "local" / "first-contact", metavar="DIR", help="write to DIR "
                        "(default: results/local/first-contact)")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="run short measurements only, to test this script without a GPU")
    given = parser.parse_args(arguments)
    for name in given.stages:
        if name not in STAGES:
            parser.error(f"{name}: unknown stage; choose from {', '.join(STAGES)}")

    run = Run(given.out.resolve(), given.limit)
    run.say(f"== first contact: {' '.join(given.stages or STAGES)}; limit {given.limit:.0f} s; commit {_commit()}")
    run.say("; ".join(f"{tool}: {run.which(tool) or 'not installed'}" for tool in TOOLS))
    listen()
    try:
        for name in given.stages or STAGES:
            run.stage(name, given.quick)
        if run.left() >= LEAST:
            run.together([CLOCKS])
    except Stopped as stopped:
        run.say("== interrupted")
        return 128 + stopped.number
    finally:
        run.pack()
    run.say(f"== {run.elapsed():.0f} s; failed: {', '.join(run.failed) or 'none'}")
    if run.missed:
        run.say(f"== not reached; pass these stages to a second call: {' '.join(run.missed)}")
    run.pack()
    print(run.out / "first-contact.tar.gz")
    return int(bool(run.failed or run.missed))


if __name__ == "__main__":
    sys.exit(main())
