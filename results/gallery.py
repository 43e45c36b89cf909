"""The table of machines in README.md, and the page index.html: `python results/gallery.py` writes both."""

from __future__ import annotations

import math
import sys
from pathlib import Path

RESULTS = Path(__file__).parent
sys.path.insert(0, str(RESULTS.parent))  # so that the script finds `bench` without an installation

from bench import records  # noqa: E402
from bench.analysis.compare import compare  # noqa: E402 -- after the search path
from bench.analysis.headline import sentences  # noqa: E402
from bench.analysis.sides import sides, works  # noqa: E402
from bench.report.page import report  # noqa: E402
from bench.text.numbers import counted, duration  # noqa: E402
from bench.text.tables import escaped  # noqa: E402

BEGIN, END = "<!-- machines: written by gallery.py -->\n", "<!-- end -->"


def published() -> list[Path]:
    """Return the CSVs of this folder, without those of a user's own runs in local/."""
    return [path for path in records.files([RESULTS]) if path.relative_to(RESULTS).parts[0] != "local"]


def table() -> str:
    """Return a row for each machine: its hardware, its fastest epoch of the first workload, and what it gains. The fastest is first."""
    answer = compare(published(), baseline=None)
    work = works(answer)[0]
    found = []
    for side in sides(answer):
        row = next(row for (where, _, _), row in answer.timings.rows.items() if where.machine == side.label)
        chip = f"{row['cpu']} ({row['microarchitecture']})" if row["microarchitecture"] else row["cpu"]
        hardware = ", ".join(filter(None, [chip, counted(row["cores"], "core"), row["gpu"]]))
        name = f"[{escaped(side.label)}]({side.label}/)" if (RESULTS / side.label).is_dir() else escaped(side.label)
        won = side.winners.get(work)
        epoch = side.epochs(work, won.trainer).value if won else math.inf
        fastest = f"{duration(epoch)}, {escaped(won.trainer)}" if won else "-"
        gain = escaped(next(iter(sentences(answer, machine=side.label)), "-"))
        found.append((epoch, f"| {name} | {escaped(hardware)} | {fastest} | {gain} |"))
    heading = f"| machine | hardware | fastest epoch of `{work.workload}` | gain |"
    return "\n".join([heading, "|---|---|---|---|", *(row for _, row in sorted(found))]) + "\n"


def with_table(readme: str) -> str:
    """Return the text of README.md with the present table."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END, 1)[1]}"


if __name__ == "__main__":
    readme = RESULTS / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
    report(published(), RESULTS / "index.html")
