"""What each trick of `matrix_tuned` gains: `matrix_tuned` without it against `matrix_tuned`, by `versus`.

python results/tricks/measure.py  # writes figures.md beside this file; 14 minutes
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from bench.text.tables import Table  # noqa: E402 (the checkout's own, wherever this is run)

SECONDS = {"nielsen": 15, "wide": 15, "large": 30}  # of `versus`, by workload
VARIANTS = {
    "matrix": "all of them",
    "without:Rows": "all of them, but with images as rows",
    "without:Tape": "the tape: the step is called at every step",
    "without:TapeAndBuffers": "the tape and the buffers: every operation makes an array",
    "without:BiasRow": "the bias as a row of w",
    "without:Padding": "the padding to a multiple of 8",
    "without:OneSubtraction": "one subtraction for all layers",
    "without:EarlyRate": "eta/m in delta_L instead of the gradient",
    "without:GatherAhead": "gathering several mini-batches at once",
    "without:ClipMode": "mode clip when gathering",
    "without:ArraysForConstants": "1/2 and 1 as arrays",
    "without:Alignment": "arrays that start on a cache line",
}


def ratio(variant: str, workload: str) -> str:
    """Return how many times as long an epoch of the variant takes, with its interval."""
    command = [sys.executable, "-m", "bench", "versus", variant, "matrix_tuned", "--workload", workload, "--threads", "1"]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    output = subprocess.run(
        [*command, "--seconds", str(SECONDS[workload]), "--json"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ).stdout  # exit code 3: too few pairs for an interval
    found = json.loads(output)
    return f"{found['ratio']:.3f}" + (f" ({found['low']:.3f} to {found['high']:.3f})" if found["low"] is not None else "")


def main() -> None:
    """Measure every variant and write the table."""
    rows = []
    for variant, what in VARIANTS.items():
        rows.append([what, *(ratio(variant, workload) for workload in SECONDS)])
        print(*rows[-1], sep="  ", flush=True)
    table = Table("Epoch without a trick over epoch with it", ["without", *SECONDS], rows)
    (HERE / "figures.md").write_text(table.markdown() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
