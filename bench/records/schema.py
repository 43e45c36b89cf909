"""Columns of the CSV.

To add a column, add one line at the end of `Row`, with the next number as its `schema`. Writer and reader use `Row`. Also add the column
to the table in bench/README.md, and to the tests' row in tests/support/rows.py. The column's value comes from one of these places:

- `Recorder._rows` in bench/measure/recorder.py, if it differs between cases
- a field of the same name of `Machine` in bench/machine/identity.py, set by `describe` there, if it describes the machine
- a field of `RunColumns` in recorder.py, set by `prepare` in bench/measure/run.py, if it is the same for a whole run

Older files lack the column. So a new text is `str`, and empty for these files. A new number, even a count, is `float | None`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import NoneType
from typing import Annotated, NamedTuple, get_args, get_type_hints


@dataclass(frozen=True)
class Column:
    """Properties of a column besides its name and type.

    meaning   description in one line
    schema    first version of the CSV with this column; new columns are only appended
    job       part of the training job: rows that differ here are never compared
    hardware  part of the machine's identity: rows of one name that differ here are from different machines
    fact      about the machine's software or the code: may explain why two machines differ
    named     the text may be a name that a person chose
    version   the text is or contains a version
    positive  0 is not allowed
    """

    meaning: str
    schema: int = 1
    job: bool = False
    hardware: bool = False
    fact: bool = False
    named: bool = False
    version: bool = False
    positive: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One epoch. The fields are the columns in order. An empty text or None is an empty cell: unknown, or not applicable."""

    schema: Annotated[int, Column("version of the schema")]
    run_id: Annotated[str, Column("identifier of the run: its start and a random part")]
    started_at: Annotated[str, Column("start of the run, UTC, ISO 8601")]
    commit: Annotated[str, Column("commit of the code under test", fact=True)]
    dirty: Annotated[bool | None, Column("whether the code differed from that commit, or the trainer is not in it", fact=True)]
    kind: Annotated[str, Column('"timing": each round from the same weights; "training": each epoch continues from the last')]
    workload: Annotated[str, Column("name of the workload", job=True, named=True)]
    dataset: Annotated[str, Column('"mnist", or "idx-" and the first digits of the data\'s checksum', job=True)]
    layers: Annotated[str, Column("widths of the layers, joined by hyphens", job=True)]
    batch_size: Annotated[int, Column("examples in a mini-batch", job=True, positive=True)]
    learning_rate: Annotated[float, Column("step size, eta", job=True)]
    dtype: Annotated[str, Column("type of all arithmetic", job=True)]
    examples: Annotated[int, Column("examples in the epoch", job=True, positive=True)]
    seed: Annotated[int, Column("seed of the initial weights and the order", job=True)]
    trainer: Annotated[str, Column("name of the implementation", named=True)]
    library: Annotated[str, Column("library that does the arithmetic, with its version", version=True)]
    device: Annotated[str, Column('"cpu" or "gpu"; a software adapter is "cpu"')]
    threads: Annotated[int, Column("number of threads and processors that the process was limited to", positive=True)]
    ranks: Annotated[int, Column("processes that shared the epoch", positive=True)]
    round: Annotated[int, Column("number of the round, from 1; in training rows, number of the epoch", positive=True)]
    seconds: Annotated[float, Column("wall time of train_epoch", positive=True)]
    max_error: Annotated[float, Column("error of the verification against the oracle, relative to the distance trained")]
    accuracy: Annotated[float, Column("fraction of the test images classified correctly after the epoch")]
    flops: Annotated[int, Column("floating-point operations of the epoch's matrix products")]
    fraction_of_limit: Annotated[float | None, Column("fraction of the peak: the floor of the epoch over `seconds`")]
    machine: Annotated[str, Column("name of the machine in results", named=True)]
    cpu: Annotated[str, Column("name of the processor", hardware=True)]
    cores: Annotated[int, Column("physical cores of the machine", hardware=True)]
    memory_gib: Annotated[float, Column("memory of the machine", hardware=True)]
    gpu: Annotated[str, Column("name of the GPU", hardware=True)]
    gpu_driver: Annotated[str, Column("version of its driver", fact=True, version=True)]
    os: Annotated[str, Column("operating system and architecture", fact=True)]
    python: Annotated[str, Column("Python implementation and version", fact=True, version=True)]
    numpy: Annotated[str, Column("version of NumPy", fact=True, version=True)]
    blas: Annotated[str, Column("BLAS library of NumPy, with its version", fact=True, version=True)]
    blas_kernels: Annotated[str, Column("kernels that the BLAS chose for this processor", fact=True)]
    cuda: Annotated[str, Column("CUDA version that the driver supports", fact=True, version=True)]
    gpu_memory_gib: Annotated[float | None, Column("memory of the GPU", schema=2)]
    gpu_clock_mhz: Annotated[float | None, Column("highest clock of its multiprocessors", schema=2)]
    bytes: Annotated[float | None, Column("least number of bytes that the epoch moves to and from memory", schema=2)]
    peak_flops: Annotated[float | None, Column("peak of the run: operations per second of this dtype with these threads", schema=2)]
    peak_bytes: Annotated[float | None, Column("peak of the run: bytes per second", schema=2)]
    launch_seconds: Annotated[float | None, Column("time of a kernel launch, on a GPU", schema=2)]
    graph_node_seconds: Annotated[float | None, Column("time of a kernel in a CUDA graph", schema=2)]
    load: Annotated[float | None, Column("share of the processors' time that other processes took during the case", schema=3)]
    steal: Annotated[float | None, Column("share of the processors' time that other virtual machines took during the case", schema=3)]
    flops_after: Annotated[float | None, Column("peak operations per second right after the case, if measured then", schema=3)]
    implementation: Annotated[str, Column("module and class of the trainer", schema=4, named=True)]
    cpu_id: Annotated[str, Column("vendor, family, model and stepping of the processor", schema=5, hardware=True)]
    microarchitecture: Annotated[str, Column("generation of the processor", schema=5)]
    caches: Annotated[str, Column("data caches of a core, in KiB; the last may be shared", schema=5, hardware=True)]
    system_model: Annotated[str, Column("maker and model of the computer or the virtual machine", schema=5, fact=True)]
    call_seconds: Annotated[float | None, Column("time of the epoch's calls: of an epoch on a tiny network", schema=6)]
    call_seconds_low: Annotated[float | None, Column("lower end of its 95 % interval", schema=6)]
    call_seconds_high: Annotated[float | None, Column("upper end of its 95 % interval", schema=6)]
    call_seconds_fitted: Annotated[float | None, Column("the same, by a fit that did not use it", schema=6)]
    step_seconds: Annotated[float | None, Column("fixed cost of a step, by the fit", schema=6)]
    step_seconds_low: Annotated[float | None, Column("lower end of its 95 % interval", schema=6)]
    step_seconds_high: Annotated[float | None, Column("upper end of its 95 % interval", schema=6)]
    example_seconds: Annotated[float | None, Column("fixed cost of an example, by the fit", schema=6)]
    example_seconds_low: Annotated[float | None, Column("lower end of its 95 % interval", schema=6)]
    example_seconds_high: Annotated[float | None, Column("upper end of its 95 % interval", schema=6)]
    call_fit: Annotated[str, Column("mini-batch sizes that the fit used", schema=6)]
    memory_bytes: Annotated[float | None, Column("peak memory of the case, beyond what the process had before", schema=6)]
    gpu_memory_bytes: Annotated[float | None, Column("the same of the GPU's memory", schema=6)]
    joules: Annotated[float | None, Column("energy of an epoch, the mean of the rounds", schema=6)]
    joules_low: Annotated[float | None, Column("lower end of its 95 % interval", schema=6)]
    joules_high: Annotated[float | None, Column("upper end of its 95 % interval", schema=6)]
    watts: Annotated[float | None, Column("power during the rounds", schema=6)]
    idle_watts: Annotated[float | None, Column("power before the first case, while the process did nothing", schema=6)]
    energy_counters: Annotated[str, Column("counters of the energy", schema=6)]
    clock_mhz: Annotated[float | None, Column("clock frequency of the fastest processor or the GPU before the rounds", schema=6)]
    clock_mhz_after: Annotated[float | None, Column("the same after the rounds", schema=6)]
    celsius: Annotated[float | None, Column("temperature of the processors or the GPU before the rounds", schema=6)]
    celsius_after: Annotated[float | None, Column("the same after the rounds", schema=6)]
    throttled: Annotated[str, Column("reasons why the device lowered its clock", schema=6)]
    allocations_per_step: Annotated[float | None, Column("times that NumPy allocates memory for an array in a step", schema=6)]
    accelerator: Annotated[str, Column("accelerator that computed, as its library names it; empty for a processor", schema=7)]
    accelerator_vendor: Annotated[str, Column("its maker", schema=7)]
    accelerator_kind: Annotated[str, Column('"discrete", "integrated" (shares the memory), "virtual", or "software": a program', schema=7)]
    accelerator_backend: Annotated[str, Column('interface below the library, such as "CUDA", "Metal" or "Vulkan"', schema=7)]
    accelerator_driver: Annotated[str, Column("its driver, with the version", schema=7)]
    chosen_threads: Annotated[
        float | None, Column("how many threads the trainer chose; empty: its library chooses", schema=8, positive=True)
    ]


# Names of trainers before schema 4, and their names since. Other trainers have the old names now.
RENAMED_IN = 4
RENAMED = {"matrix": "matrix_tuned", "gpu": "gpu_tuned"}


class Field(NamedTuple):
    """A column for the reader and the tests. `type` is str, bool, int or float. If `optional`, a cell may be empty."""

    name: str
    type: type
    optional: bool
    column: Column


def _field(name: str, hint: object) -> Field:
    annotated, column = get_args(hint)
    kinds = [kind for kind in (get_args(annotated) or (annotated,)) if kind is not NoneType]
    return Field(name, kinds[0], NoneType in get_args(annotated), column)


_HINTS = get_type_hints(Row, include_extras=True)
FIELDS = tuple(_field(field.name, _HINTS[field.name]) for field in fields(Row))
COLUMNS = tuple(field.name for field in FIELDS)
SCHEMA = max(field.column.schema for field in FIELDS)
HEADERS = {version: tuple(field.name for field in FIELDS if field.column.schema <= version) for version in range(1, SCHEMA + 1)}
JOB = tuple(field.name for field in FIELDS if field.column.job)
HARDWARE = tuple(field.name for field in FIELDS if field.column.hardware)
LATER = frozenset(field.name for field in FIELDS if field.column.schema > 1)  # empty in older files
FACTS = tuple(field.name for field in FIELDS if field.column.fact)
