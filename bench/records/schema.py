"""The CSV's columns.

A new column is one line at the end of `Row`, with the next number as its `schema`. Writer and reader follow from `Row`, and README.md's
table of the columns gets its name too. Its value comes from

- `Recorder._rows` of bench/measure/recorder.py, if each case has its own,
- a field of `Machine` of the same name in bench/machine/identity.py, which `describe` there fills, if it is about the machine,
- a field of `RunColumns` in recorder.py, which `prepare` of bench/measure/run.py fills, if it is the same for a whole run.

Older files have no such cell: a new text is `str` and empty for them; a new number, a count too, is `float | None`. The tests' own row is
in tests/support/rows.py.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import NoneType
from typing import Annotated, NamedTuple, get_args, get_type_hints


@dataclass(frozen=True)
class Column:
    """What is known of a column besides its name and type.

    meaning   one line for people
    schema    the first version of the CSV that has it; columns are only appended
    job       part of what was trained: rows that differ here are never compared
    fact      about the machine's software or the code: it may explain why two machines differ
    named     a person may have chosen the text
    version   the text is a version, or has one in it
    positive  0 is not a value
    """

    meaning: str
    schema: int = 1
    job: bool = False
    fact: bool = False
    named: bool = False
    version: bool = False
    positive: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One epoch. The fields are the file's columns, in order; an empty text or None is an empty cell: unknown, or not applicable."""

    schema: Annotated[int, Column("version of this list")]
    run_id: Annotated[str, Column("the same for all rows of a run: its start and a random part")]
    started_at: Annotated[str, Column("start of the run, UTC, ISO 8601")]
    commit: Annotated[str, Column("of the code under test", fact=True)]
    dirty: Annotated[bool | None, Column("whether the code differed from that commit, or the trainer is not in it", fact=True)]
    kind: Annotated[str, Column('"timing": each round from the same weights; "training": each epoch on from the last')]
    workload: Annotated[str, Column("name of what is trained", job=True, named=True)]
    dataset: Annotated[str, Column('"mnist", or "idx-" and the first digits of the data\'s checksum', job=True)]
    layers: Annotated[str, Column("widths, joined by hyphens", job=True)]
    batch_size: Annotated[int, Column("examples in a mini-batch", job=True, positive=True)]
    learning_rate: Annotated[float, Column("step size, eta", job=True)]
    dtype: Annotated[str, Column("of all arithmetic", job=True)]
    examples: Annotated[int, Column("in the epoch", job=True, positive=True)]
    seed: Annotated[int, Column("of the initial weights and the order", job=True)]
    trainer: Annotated[str, Column("name of the implementation", named=True)]
    library: Annotated[str, Column("that does the arithmetic, with its version", version=True)]
    device: Annotated[str, Column('"cpu" or "gpu"')]
    threads: Annotated[int, Column("and processors that the process was limited to", positive=True)]
    ranks: Annotated[int, Column("processes that shared the epoch", positive=True)]
    round: Annotated[int, Column("from 1; of training rows, the epoch's number", positive=True)]
    seconds: Annotated[float, Column("wall time of train_epoch", positive=True)]
    max_error: Annotated[float, Column("of the verification, against the float64 loop, relative to the distance trained")]
    accuracy: Annotated[float, Column("fraction of the test images classified correctly after the epoch")]
    flops: Annotated[int, Column("floating-point operations of the epoch's matrix products")]
    fraction_of_limit: Annotated[float | None, Column("least time that this machine needs for the epoch's work, over `seconds`")]
    machine: Annotated[str, Column("what results call the machine", named=True)]
    cpu: Annotated[str, Column("name of the processor")]
    cores: Annotated[int, Column("physical cores of the machine")]
    memory_gib: Annotated[float, Column("memory of the machine")]
    gpu: Annotated[str, Column("name of the GPU")]
    gpu_driver: Annotated[str, Column("version of its driver", fact=True, version=True)]
    os: Annotated[str, Column("operating system and architecture", fact=True)]
    python: Annotated[str, Column("implementation and version", fact=True, version=True)]
    numpy: Annotated[str, Column("version", fact=True, version=True)]
    blas: Annotated[str, Column("library under NumPy, and version", fact=True, version=True)]
    blas_kernels: Annotated[str, Column("that the BLAS chose for this processor", fact=True)]
    cuda: Annotated[str, Column("version that the driver supports", fact=True, version=True)]
    gpu_memory_gib: Annotated[float | None, Column("memory of the GPU", schema=2)]
    gpu_clock_mhz: Annotated[float | None, Column("highest clock of its multiprocessors", schema=2)]
    bytes: Annotated[float | None, Column("that the epoch moves to and from memory at least", schema=2)]
    peak_flops: Annotated[float | None, Column("operations a second, the run's best, of this dtype, with these threads", schema=2)]
    peak_bytes: Annotated[float | None, Column("bytes a second, the run's best", schema=2)]
    launch_seconds: Annotated[float | None, Column("of a kernel launch, on a GPU", schema=2)]
    graph_node_seconds: Annotated[float | None, Column("of a kernel in a CUDA graph", schema=2)]
    load: Annotated[float | None, Column("share of the processors' time that other processes took meanwhile", schema=3)]
    steal: Annotated[float | None, Column("share that other virtual machines took", schema=3)]
    flops_after: Annotated[float | None, Column("operations a second right after the case, where they were measured then", schema=3)]
    implementation: Annotated[str, Column("module and class of the trainer", schema=4, named=True)]


# Before schema 4 these two names meant the trainers that are called so now.
RENAMED_IN = 4
RENAMED = {"matrix": "matrix_tuned", "gpu": "gpu_tuned"}


class Field(NamedTuple):
    """A column as the reader and the tests need it: `type` is str, bool, int or float; if `optional`, a cell may be empty."""

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
FACTS = tuple(field.name for field in FIELDS if field.column.fact)
