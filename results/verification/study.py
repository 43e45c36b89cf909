"""Which trainers the verification accepts: correct ones, and wrong ones of many kinds.

python results/verification/study.py   writes figures.md; 25 minutes on two cores
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from bench.text.tables import Table  # noqa: E402 (from this checkout, whatever the current directory)
from bench.verify.oracle import Oracle, VerificationError, trained_by  # noqa: E402
from bench.verify.verification import Verification  # noqa: E402
from bench.workload import WORKLOADS, Workload, grid  # noqa: E402
from impls import Trainer, load_trainer, mnist, unavailable  # noqa: E402
from tests.support import wrong_trainers  # noqa: E402

SEEDS = 4  # networks and orders, per workload
TRIED = (*(WORKLOADS[name] for name in ("nielsen", "wide", "large", "deep")), *grid([1], [30, 1000]), *grid([10_000], [100]))
CORRECT = ("loop", "matrix", "matrix_tuned", "compiled", "jax_cpu", "torch_cpu")
SLOW = {"loop": ("nielsen", "wide"), "torch_cpu": ("nielsen", "wide", "large", "deep", "h100-b10000")}  # train whole epochs of these only
WRONG = (*wrong_trainers.NEARLY_RIGHT, *wrong_trainers.WRONG_LATER)


FEW: Any = {"workloads": [TRIED[0], TRIED[4]], "seeds": 1, "examples": 500}  # arguments of `report` that take seconds


def report(workloads: Sequence[Workload] = TRIED, seeds: int = SEEDS, examples: int | None = None) -> str:
    """Return figures.md.

    seeds     networks and orders, per workload
    examples  in an epoch; None: those of the workload
    """
    correct, caught = [], {kind: [kind.__name__] for kind in WRONG}
    for tried in workloads:
        checked: dict[str, list[tuple[float, float]]] = {"steps": [], "epoch": [], "calm epoch": []}  # errors and tolerances
        for seed in range(seeds):
            workload = replace(tried, seed=seed, examples=examples and max(examples, tried.batch_size))
            verification = Verification(workload, mnist())
            oracles = {"steps": verification.steps, "epoch": verification.epoch, "calm epoch": verification.calm}
            for name in CORRECT:
                for what, oracle in oracles.items():
                    if oracle and not unavailable(name) and (what == "steps" or tried.name in SLOW.get(name, tried.name)):
                        checked[what].append((_error(oracle, load_trainer(name)), oracle.tolerance))
            print(f"{tried.name}, seed {seed}", flush=True)
        for what, errors in checked.items():
            wrongly = sum(not error <= tolerance for error, tolerance in errors)
            largest = [f"{max(column):.1e}" for column in zip(*errors, strict=True)] or ["-", "-"]
            correct.append((tried.name, what, len(errors), *largest, wrongly))
        for kind, row in caught.items():
            row.append(_caught_by(kind, verification))
    return "\n".join(
        [
            *_table("Correct trainers", ["workload", "checked", "checks", "largest error", "largest tolerance", "called wrong"], correct),
            *_table("Wrong trainers, and the check that catches each", ["trainer", *(tried.name for tried in workloads)], caught.values()),
        ]
    )


def _error(oracle: Oracle, kind: type[Trainer]) -> float:
    """Return the error of a trainer on the oracle's job, also if it is above the tolerance."""
    try:
        return oracle.error(trained_by(kind, oracle.job))
    except VerificationError as wrong:
        return wrong.error


def _caught_by(kind: type[Trainer], verification: Verification) -> str:
    """Return the first check that a trainer fails."""
    checks: dict[str, Callable[[], object]] = {
        "steps": lambda: verification.max_error(kind),
        "epoch": lambda: verification.check_epoch(trained_by(kind, verification.epoch.job)),
        "calm epoch": lambda: verification.check_calm_epoch(kind),
    }
    for name, check in checks.items():
        try:
            check()
        except VerificationError:
            return name
    return "-"


def _table(title: str, headings: Sequence[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Return the lines of a Markdown table, with its title and empty lines."""
    return [f"{title}:", "", Table("", headings, [[str(cell) for cell in row] for row in rows], numbers=True).markdown(), ""]


if __name__ == "__main__":
    text = report()
    (HERE / "figures.md").write_text(text, encoding="utf-8")
    print(text)
