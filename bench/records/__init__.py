"""CSV files with one row per timed epoch. Schema, crash-safe writing, reading of untrusted files."""

from bench.records.reader import files, neutral, read
from bench.records.schema import COLUMNS, FACTS, HARDWARE, JOB, LATER, SCHEMA, Row
from bench.records.writer import WriteError, Writer, check_writable, new_id

__all__ = [
    "COLUMNS",
    "FACTS",
    "HARDWARE",
    "JOB",
    "LATER",
    "SCHEMA",
    "Row",
    "WriteError",
    "Writer",
    "check_writable",
    "files",
    "neutral",
    "new_id",
    "read",
]
