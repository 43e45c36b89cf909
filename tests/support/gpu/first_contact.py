"""The first minutes on a new GPU, on Linux: checks and measurements in order of value, each with a timeout and a log of its own.

    python -m tests.support.gpu.first_contact [STAGE ...] [--limit 470] [--out DIR]

After every stage the script packs all logs and results into DIR/first-contact.tar.gz. At the end it names the stages for which no time was
left: give those names to a second call. The logs hold paths and user names of this machine; the CSVs do not.
"""

import argparse
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.system import git
from bench.system.signals import Stopped, listen
from impls import InputError

ROOT = Path(__file__).resolve().parents[3]
PYTHON = sys.executable
LIMIT = 470  # seconds for all stages
LEAST = 8  # seconds; with fewer left, a step does not begin
MARGIN = 6  # seconds of the limit in which the last step ends and is packed
GRACE = 4  # seconds between SIGTERM and SIGKILL
PATIENCE = 90  # seconds after which the bench ends a hung kernel; its own limit may be longer than the stage's
UNSET = ("CUPY_TF32", "XLA_FLAGS", "OPENBLAS_CORETYPE", "OMP_NUM_THREADS")  # each changes what is measured
FEW = ("--workload", "nielsen", "--examples", "300", "--rounds", "2")
TOOLS = ("git", "nvcc", "ncu", "compute-sanitizer")
PACKAGES = "from importlib.metadata import distributions as d; print(*sorted({f'{x.name}=={x.version}' for x in d()}), sep='\\n')"
PYTEST = "^(FAILED|ERROR|E  )|passed|failed|skipped"  # what of its output goes into the summary
SYSTEM = "uname -r; nproc; lscpu; free -g; df -h ."


class Step(NamedTuple):
    """A command with a log of its own.

    name     of the step and of its log
    seconds  timeout
    command  program and arguments; they run in the root of the checkout
    keep     pattern of the log's lines for the summary (default: all)
    lines    number of them, the last (0: none)
    """

    name: str
    seconds: float
    command: Sequence[str]
    keep: str = ""
    lines: int = 12


# After the work: a clock rate below the usual explains slow results.
CLOCKS = Step("clocks", 20, ("nvidia-smi", "--query-gpu=clocks.sm,clocks.mem,temperature.gpu,power.draw", "--format=csv"))


class Context(NamedTuple):
    """What the commands of a stage depend on.

    out    directory of the results
    left   seconds left
    quick  measure little: a trial of this script
    """

    out: Path
    left: float = LIMIT
    quick: bool = False

    def bench(self, name, seconds, *options):
        """Return the step that measures with these options of `pytest bench`."""
        fixed = ("--benchmark-only", "-p", "no:cacheprovider", "--no-charts", "--patience", str(PATIENCE))
        command = (PYTHON, "-m", "pytest", "bench", *fixed, "--results", str(self.out / "csv" / name), *options)
        return Step(name, seconds, command, r"^(?!=|$|platform|rootdir|configfile|plugins|benchmark:|collected)", 70)


def script(name, *arguments):
    """Return the command of a script beside this one."""
    return (PYTHON, "-m", f"tests.support.gpu.{name}", *map(str, arguments))


def tests(*options):
    """Return the command of the tests that need a device."""
    return (PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "gpu", "--durations", "5", *options)


# The stages. Each returns groups of steps: one group after the other, the steps of a group at the same time.


def facts(context):
    """Print the machine, its driver and its packages."""
    fields = "name,driver_version,clocks.sm,clocks.max.sm,clocks.mem,power.limit,mig.mode.current"
    yield [Step("nvidia-smi", 20, ("nvidia-smi", f"--query-gpu={fields}", "--format=csv"))]
    yield [Step("nvidia-smi-all", 20, ("nvidia-smi",), lines=0), Step("system", 20, ("sh", "-c", SYSTEM), "Model name|MHz|Mem")]
    yield [Step("packages", 20, (PYTHON, "-c", PACKAGES), "^(cupy|jax|jaxlib|numba|numpy|nvidia.*nvrtc|pytest.*|torch|triton)[-=]", 20)]
    yield [Step("machine", 40, (PYTHON, "-m", "bench", "machine"))]


def smoke(context):
    """Run the bench on the CPU, and list the trainers that can run."""
    yield [context.bench("smoke", 60, "--trainers", "loop,matrix", *FEW)._replace(lines=6)]
    if not context.quick:
        yield [Step("trainers", 80, (PYTHON, "-m", "bench", "trainers"), lines=20)]


def probe(context):
    """Compare the GPU trainers with the loop, and time their epochs, stages and launches."""
    command = script("probe", "--json", context.out / "probe.json", "--limit", 115)
    yield [Step("probe", 120, command, r"device|error|epoch|clocks|cost|bits|peaks|FAILED|unsupported|^probe", 70)]


def correct(context):
    """Test the trainers' contract on the device, beside three checkers of memory accesses and barriers."""
    sanitizer = ("compute-sanitizer", "--target-processes", "all", "--print-limit", "20", "--error-exitcode", "9")
    steps = [
        Step(tool, 90, (*sanitizer, "--tool", tool, *script("few_steps")), "SUMMARY|not supported|Error|WRONG|DIFFERENT", 4)
        for tool in ("memcheck", "racecheck", "synccheck")
    ]
    parallel = ("-n", str(min(8, os.cpu_count() or 1))) if importlib.util.find_spec("xdist") else ()
    contract = tests(*parallel, "--maxfail", "15", "tests/impls/test_trainers.py", "-k", "not jax and not mpi")
    yield [*steps, Step("contract", 90, contract, PYTEST)]


def seam(context):
    """Test how host and device wait for each other, and that results repeat."""
    yield [Step("seam", 70, tests("tests/impls/test_gpu_seam.py"), PYTEST)]


def main_job(context):
    """Measure every trainer on the default workloads."""
    if context.quick:
        yield [context.bench("main", 60, "--trainers", "matrix", *FEW)]
        return
    names = "loop,matrix,compiled,gpu,gpu_graph,gpu_fused,jax_cpu,jax_gpu,torch_cpu,torch_gpu,torch_graph"
    yield [context.bench("main", 240, "--require", "gpu,gpu_graph,gpu_fused", "--trainers", names)]


def profile(context):
    """Profile the kernel of gpu_fused with Nsight Compute."""
    report = str(context.out / "gpu_fused.ncu-rep")
    profiler = ("ncu", "--clock-control", "none", "--target-processes", "all", "-k", "epoch", "--launch-skip", "1", "--launch-count", "1")
    yield [Step("ncu", 60, (*profiler, "--set", "full", "-f", "-o", report, *script("few_steps", "gpu_fused", "--examples", 4000)))]
    keep = "Duration|Elapsed Cycles|SM Frequency|Registers Per|Executed Ipc|No Eligible|Local|Stall|stalled"
    yield [Step("ncu-details", 30, ("ncu", "-i", report, "--page", "details"), keep, 30)]
    yield [Step("ncu-source", 30, ("ncu", "-i", report, "--page", "source", "--csv"), lines=0)]


def large(context):
    """Measure workloads with large matrices."""
    names = "gpu,gpu_graph,jax_gpu,torch_gpu,torch_graph"
    yield [context.bench("large", 65, "--workload", "large", "--trainers", f"matrix,compiled,{names}", "--rounds", "11")]
    yield [context.bench("huge", 75, "--workload", "huge", "--trainers", names, "--rounds", "7")]


def train(context):
    """Train 30 epochs and print the accuracy after each."""
    options = ("--trainers", "gpu_fused,gpu_graph", "--epochs", "30", "--no-charts", "--patience", "60")
    yield [Step("train", 45, (PYTHON, "-m", "bench", "train", *options, "--results", str(context.out / "csv" / "train")))]


def grid(context):
    """Measure batch sizes by widths."""
    options = ("--batch-size", "1,10,100,1000", "--hidden", "30,100", "--examples", "5000", "--rounds", "5")
    yield [context.bench("grid", 110, *options, "--trainers", "matrix,compiled,gpu_graph,gpu_fused")]


def contribute(context):
    """Run `python -m bench contribute` in the time left, if there is such a command."""
    if importlib.util.find_spec("bench.commands.contribute") is None:
        return
    seconds = min(context.left, 600)
    minutes = f"{max(seconds - 60, 30) / 60:.1f}"
    command = (PYTHON, "-m", "bench", "contribute", "--minutes", minutes, "--patience", str(PATIENCE))
    yield [Step("contribute", seconds, (*command, "--results", str(context.out / "contribute")), lines=40)]


STAGES = {"main" if stage is main_job else stage.__name__: stage for stage in (
    facts, smoke, probe, correct, seam, main_job, profile, large, train, grid, contribute
)}  # fmt: skip


class Run:
    """Runs steps within a time limit; writes a summary and one packed file of all logs and results."""

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
        """Return the path of a program, or None."""
        return shutil.which(program, path=self._environment["PATH"])

    def together(self, steps):
        """Run steps at the same time. A program that is not installed is not a failure."""
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
                step.command, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
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
    """Return the environment of every step: caches in a writable folder, and no variable of UNSET."""
    caches = ("CUPY_CACHE_DIR", "CUDA_CACHE_PATH", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "TRITON_CACHE_DIR", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    environment |= {name: str(cache / name.lower()) for name in caches} | {"MPLBACKEND": "Agg", "PYTHONUNBUFFERED": "1"}
    environment["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/cuda/bin"])
    if not os.access(Path.home(), os.W_OK):
        environment["HOME"] = str(cache)
    return environment


def _end(process):
    """End a process and its children: a kernel may hang, and a profiler starts the program that it profiles."""
    for number, seconds in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        try:
            os.killpg(process.pid, number)
            process.wait(seconds)
        except ProcessLookupError:
            process.poll()
        except subprocess.TimeoutExpired:
            pass


def _commit():
    """Return the checkout's commit, or why there is none and what to do."""
    try:
        commit, differs = git.state(ROOT)
    except InputError:
        return "unknown: the CSVs will name no commit, and `python -m bench check` refuses such rows; run this in a git clone"
    return commit + (", with changes" if differs else "")


def main(arguments=None):
    """Run the command and return its exit code: 0, or 1 if a step failed or was not reached."""
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
    parser.add_argument("--quick", action="store_true", help="measure little, to try this script without a GPU")
    given = parser.parse_args(arguments)
    for name in given.stages:
        if name not in STAGES:
            parser.error(f"{name}: no such stage; choose from {', '.join(STAGES)}")

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
        run.say(f"== not reached; name them in a second call: {' '.join(run.missed)}")
    run.pack()
    print(run.out / "first-contact.tar.gz")
    return int(bool(run.failed or run.missed))


if __name__ == "__main__":
    sys.exit(main())
