"""The stages of first_contact, the most valuable first: their commands, timeouts, and the lines of their logs for the summary."""

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from impls import TRAINERS

PYTHON = sys.executable
PATIENCE = 90  # seconds after which the bench ends a hung kernel; the bench's default may be longer than the stage's timeout
FEW = ("--workload", "nielsen", "--examples", "300", "--rounds", "2")
PACKAGES = "from importlib.metadata import distributions as d; print(*sorted({f'{x.name}=={x.version}' for x in d()}), sep='\\n')"
PYTEST = "^(FAILED|ERROR|E  )|passed|failed|skipped"  # lines of its output for the summary
SYSTEM = "uname -r; nproc; lscpu; free -g; df -h ."


class Step(NamedTuple):
    """A command with its own log.

    name     name of the step and of its log
    seconds  timeout
    command  program and arguments, run in the root of the checkout
    keep     pattern of the log lines for the summary (default: all lines)
    lines    number of these lines to copy, counted from the end (0: none)
    """

    name: str
    seconds: float
    command: Sequence[str]
    keep: str = ""
    lines: int = 12


# Runs last: a low clock rate explains slow results.
CLOCKS = Step("clocks", 20, ("nvidia-smi", "--query-gpu=clocks.sm,clocks.mem,temperature.gpu,power.draw", "--format=csv"))


class Context(NamedTuple):
    """The inputs for the commands of a stage.

    out    directory of the results
    left   seconds left
    quick  whether to run short measurements only, to test this script
    """

    out: Path
    left: float = 470
    quick: bool = False

    def bench(self, name, seconds, *options):
        """Return the step that runs `pytest bench` with these options."""
        fixed = ("--benchmark-only", "-p", "no:cacheprovider", "--no-charts", "--patience", str(PATIENCE))
        command = (PYTHON, "-m", "pytest", "bench", *fixed, "--results", str(self.out / "csv" / name), *options)
        return Step(name, seconds, command, r"^(?!=|$|platform|rootdir|configfile|plugins|benchmark:|collected)", 70)


def script(name, *arguments):
    """Return the command of a script in this package."""
    return (PYTHON, "-m", f"tests.support.gpu.{name}", *map(str, arguments))


def tests(*options):
    """Return the command of the tests that need a device."""
    return (PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "gpu", "--durations", "5", *options)


# The stages. Each yields groups of steps. The groups run one after the other, and the steps of a group in parallel.


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
    """Run the contract suite on the device, in parallel with three compute-sanitizer tools for memory accesses and barriers."""
    sanitizer = ("compute-sanitizer", "--target-processes", "all", "--print-limit", "20", "--error-exitcode", "9")
    steps = [
        Step(tool, 90, (*sanitizer, "--tool", tool, *script("few_steps")), "SUMMARY|not supported|Error|WRONG|DIFFERENT", 4)
        for tool in ("memcheck", "racecheck", "synccheck")
    ]
    version = Step("sanitizer", 10, ("compute-sanitizer", "--version"), "^Version")  # see racecheck.cu
    parallel = ("-n", str(min(8, os.cpu_count() or 1))) if importlib.util.find_spec("xdist") else ()
    contract = tests(*parallel, "--maxfail", "15", "tests/impls/test_trainers.py", "-k", "not jax and not mpi")
    yield [version, *steps, Step("contract", 90, contract, PYTEST)]


def seam(context):
    """Test the synchronisation of host and device, and that results are reproducible."""
    yield [Step("seam", 70, tests("tests/impls/test_gpu_device.py"), PYTEST)]


def main_job(context):
    """Measure every trainer on the default workloads."""
    if context.quick:
        yield [context.bench("main", 60, "--trainers", "matrix", *FEW)]
        return
    names = ",".join(name for name in TRAINERS if "mpi" not in name)
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
    names = "gpu,gpu_tuned,gpu_graph,jax_gpu,torch_gpu,torch_graph"
    yield [context.bench("large", 65, "--workload", "large", "--trainers", f"matrix,matrix_tuned,compiled,{names}", "--rounds", "11")]
    yield [context.bench("huge", 75, "--workload", "huge", "--trainers", names, "--rounds", "7")]


def train(context):
    """Train 30 epochs and print the accuracy after each."""
    options = ("--trainers", "gpu_lookahead,gpu_fused,gpu_graph", "--epochs", "30", "--no-charts", "--patience", "60")
    yield [Step("train", 45, (PYTHON, "-m", "bench", "train", *options, "--results", str(context.out / "csv" / "train")))]


def grid(context):
    """Measure a grid of batch sizes and widths."""
    options = ("--batch-size", "1,10,100,1000", "--hidden", "30,100", "--examples", "5000", "--rounds", "5")
    yield [context.bench("grid", 110, *options, "--trainers", "matrix,matrix_tuned,compiled,gpu_graph,gpu_fused,gpu_lookahead")]


def contribute(context):
    """Run `python -m bench contribute` in the time left, if the command exists."""
    if importlib.util.find_spec("bench.commands.contribute") is None:
        return
    seconds = min(context.left, 600)
    minutes = f"{max(seconds - 60, 30) / 60:.1f}"
    command = (PYTHON, "-m", "bench", "contribute", "--minutes", minutes, "--patience", str(PATIENCE))
    yield [Step("contribute", seconds, (*command, "--results", str(context.out / "contribute")), lines=40)]


STAGES = {"main" if stage is main_job else stage.__name__: stage for stage in (
    facts, smoke, probe, correct, seam, main_job, profile, large, train, grid, contribute
)}  # fmt: skip
