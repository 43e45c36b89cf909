"""CSVs of made-up machines with given times."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.records import SCHEMA, Row, Writer
from bench.workload import WORKLOADS, grid

ROW = Row(
    schema=SCHEMA, run_id="r1", started_at="2026-01-01T00:00:00+00:00", commit="abc", dirty=False, kind="timing", workload="nielsen",
    dataset="mnist", layers="784-30-10", batch_size=10, learning_rate=3.0, dtype="float32", examples=50000, seed=0, trainer="matrix",
    library="numpy 2.4.6", device="cpu", threads=2, ranks=1, round=1, seconds=0.1, max_error=4.5e-6, accuracy=0.9,
    flops=4794000000, fraction_of_limit=0.2, machine="box", cpu="Some CPU", cores=2, memory_gib=23.5, gpu="", gpu_driver="",
    os="Linux x86_64", python="CPython 3.11.7", numpy="2.4.6", blas="openblas 0.3.31", blas_kernels="SkylakeX", cuda="",
    gpu_memory_gib=None, gpu_clock_mhz=None, bytes=157e6, peak_flops=2e11, peak_bytes=2e10, launch_seconds=None, graph_node_seconds=None,
    load=0.01, steal=0.0, flops_after=2e11, implementation="impls.matrix:Matrix",
    cpu_id="GenuineIntel-6-143-8", microarchitecture="sapphirerapids", caches="L1d 48K L2 2048K L3 107520K", system_model="virtual machine",
    call_seconds=0.03, call_seconds_low=0.028, call_seconds_high=0.033, call_seconds_fitted=0.0305, step_seconds=5e-6,
    step_seconds_low=4e-6, step_seconds_high=6e-6, example_seconds=1e-7, example_seconds_low=0.0, example_seconds_high=2e-7,
    call_fit="batch 2 5 20 40", memory_bytes=2e8, gpu_memory_bytes=None, joules=12.5, joules_low=12.1, joules_high=12.9,
    watts=125.0, idle_watts=20.0,
    energy_counters="RAPL package-0", clock_mhz=3100.0, clock_mhz_after=3095.0, celsius=55.0, celsius_after=58.0, throttled="",
    allocations_per_step=54.0,
    accelerator="",
    accelerator_vendor="",
    accelerator_kind="",
    accelerator_backend="",
    accelerator_driver="",
    chosen_threads=None,
)  # fmt: skip

Times = Mapping[tuple[str, str], float | Sequence[float]]  # (workload, trainer) -> seconds: typical, or of each round


def rows(times: Times, **columns) -> list[Row]:
    """Return the rows of a run. A single time becomes five rounds within 1 % of it. `columns` replaces values of all rows."""
    made = []
    for (name, trainer), seconds in times.items():
        workload = WORKLOADS.get(name)
        if workload is None:
            width, batch_size = (int(part[1:]) for part in name.split("-"))
            (workload,) = grid([batch_size], [width])
        each = [seconds * (1 + 0.005 * i) for i in range(-2, 3)] if isinstance(seconds, float) else seconds
        job = {"layers": f"784-{workload.hidden[0]}-10", "batch_size": workload.batch_size, "learning_rate": workload.learning_rate}
        examples = {"examples": min(50_000, workload.at_most or 50_000)}
        mine = {**job, **examples, "workload": name, "trainer": trainer, "device": "gpu" if trainer == "gpu" else "cpu", **columns}
        made += [replace(ROW, **mine, round=i, seconds=second) for i, second in enumerate(each, start=1)]
    return made


def written(path: Path, times: Times, **columns) -> Path:
    """Write the `rows` of a run to a CSV and return its path."""
    writer = Writer(path)
    writer.add(rows(times, **columns))
    return writer.close()
