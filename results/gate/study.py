"""How often the gate is right: the recording behind README.md in this folder, and the figures made from it.

    python results/gate/study.py record   pairs.csv and stored.csv, half an hour on two cores
    python results/gate/study.py live     live.csv, another
    python results/gate/study.py report   figures.md, from the three

Slowdowns are planted in the `matrix` trainer's own steps (bench/planted.py has the kinds). Each condition's pairs are recorded in
turns of ten, so that all of them meet all of the machine's moods.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, product
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from bench import duel  # noqa: E402 (the checkout's own, wherever this is run)
from bench.contender import contender  # noqa: E402
from bench.duel import Duel, Pair  # noqa: E402
from bench.gate import MARGIN, SECONDS, judge  # noqa: E402
from bench.planted import KINDS, variable  # noqa: E402
from bench.selftest import resample, share_of_a_unit, with_planted  # noqa: E402
from bench.workload import named  # noqa: E402
from impls import mnist  # noqa: E402

TRAINER = "matrix"
METHODS = dict(zip(KINDS, ("_feed_forward", "_backpropagate") * 3, strict=True))  # called once a mini-batch
LEVELS = (0.02, 0.03, 0.05)
TURNS, A_TURN = 10, 10  # pairs a condition: 100; of unchanged code four times as many
LIVE, LIVE_LEVEL = 30, 0.03


@contextmanager
def prepared() -> Iterator[Duel]:
    """A duel of the trainer with itself, verified."""
    with tempfile.TemporaryDirectory() as room:
        one, other = (contender(TRAINER, Path(room) / name) for name in ("a", "b"))
        yield duel.prepare(one, other, named("nielsen"), mnist(), Path(room), threads=1, seconds=SECONDS)


@contextmanager
def busy(state: str) -> Iterator[None]:
    """A second process that does nothing but compute, anywhere or on the processor that is measured on."""
    if not state:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        os.sched_setaffinity(process.pid, {0} if state == "busy on our core" else range(os.cpu_count() or 1))
        try:
            yield
        finally:
            process.kill()


def amounts(match: Duel) -> dict[str, float]:
    """The share of an epoch that one unit of each kind takes."""
    shares = {kind: share_of_a_unit(match, TRAINER, METHODS[kind], kind) for kind in KINDS}
    for kind, share in shares.items():
        print(f"{kind}: a unit a step is {share:.2%}", flush=True)
    return shares


def subject(match: Duel, kind: str, level: float, shares: dict[str, float]) -> Duel:
    """The duel with the slowdown planted in its first contender."""
    return with_planted(match, TRAINER, METHODS[kind], kind, level / shares[kind]) if level else match


def stored_median(match: Duel, kind: str, level: float, shares: dict[str, float]) -> float:
    """The median that one run of pytest-benchmark stores, seconds."""
    examples = match.title.split(" examples")[0].split(", ")[-1].replace(",", "")
    trainer = "bench.planted:Planted" if level else TRAINER
    environment = os.environ | (variable(TRAINER, METHODS[kind], kind, level / shares[kind]) if level else {})
    with tempfile.TemporaryDirectory() as room:
        stored = Path(room) / "stored.json"
        command = [sys.executable, "-m", "pytest", "bench", "-p", "no:cacheprovider", "--benchmark-only", "--no-charts"]
        command += ["--trainers", trainer, "--workload", "nielsen", "--examples", examples, "--threads", "1"]
        command += ["--results", room, "--benchmark-json", str(stored)]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
        return float(json.loads(stored.read_text())["benchmarks"][0]["stats"]["median"])


def record() -> None:
    """Write pairs.csv and stored.csv."""
    conditions = [("none", 0.0, "")] * 4 + [(kind, level, "") for kind, level in product(KINDS, LEVELS)]
    conditions += [(kind, level, state) for kind, level in (("none", 0.0), ("added-pass", 0.05)) for state in ("busy", "busy on our core")]
    with prepared() as match, (HERE / "pairs.csv").open("w", newline="") as one, (HERE / "stored.csv").open("w", newline="") as other:
        pairs, medians = csv.writer(one, lineterminator="\n"), csv.writer(other, lineterminator="\n")
        pairs.writerow(["kind", "slower", "busy", "turn", "pair_seconds", "order", "a_microseconds", "b_microseconds"])
        medians.writerow(["kind", "slower", "busy", "turn", "median_seconds"])
        shares = amounts(match)
        for turn in range(TURNS):
            for kind, level, state in conditions:
                with busy(state):
                    for pair in islice(subject(match, kind, level, shares).pairs(), A_TURN):
                        times = [" ".join(f"{second * 1e6:.0f}" for second in side) for side in (pair.a, pair.b)]
                        pairs.writerow([kind, level, state, turn, f"{pair.seconds:.3f}", pair.order, *times])
                    medians.writerow([kind, level, state, turn, f"{stored_median(match, kind, level, shares):.6f}"])
                one.flush()
                other.flush()
            print(f"turn {turn + 1} of {TURNS}", flush=True)


def live() -> None:
    """Write live.csv: the gate's own verdicts, on this machine as it is."""
    conditions = [("none", 0.0), *((kind, LIVE_LEVEL) for kind in KINDS)]
    with prepared() as match, (HERE / "live.csv").open("w", newline="") as file:
        trials = csv.writer(file, lineterminator="\n")
        trials.writerow(["kind", "slower", "trial", "verdict", "ratio", "low", "high", "pairs", "seconds"])
        shares = amounts(match)
        for trial in range(LIVE):
            for kind, level in conditions:
                word, ratio, stages = judge(subject(match, kind, level, shares).pairs(), margin=MARGIN, seconds=SECONDS)
                seconds = sum(pair.seconds for pairs in stages.values() for pair in pairs)
                count = sum(map(len, stages.values()))
                trials.writerow([kind, level, trial, word, *(f"{end:.4f}" for end in ratio), count, f"{seconds:.1f}"])
            file.flush()
            print(f"trial {trial + 1} of {LIVE}", flush=True)


def report() -> None:
    """Write figures.md."""
    recorded, medians, verdicts = defaultdict(list), defaultdict(list), defaultdict(list)
    for row in _read("pairs.csv"):
        sides = (tuple(float(time) / 1e6 for time in row[name].split()) for name in ("a_microseconds", "b_microseconds"))
        recorded[row["kind"], float(row["slower"]), row["busy"]].append(Pair(*sides, row["order"], float(row["pair_seconds"])))
    for row in _read("stored.csv"):
        medians[row["kind"], float(row["slower"]), row["busy"]].append((int(row["turn"]), float(row["median_seconds"])))
    for row in _read("live.csv"):
        verdicts[row["kind"], float(row["slower"])].append((row["verdict"], float(row["seconds"])))

    lines = ["| planted | busy | measured | pairs | called slower | not slower | undecided | median time | stored baseline, 5 % |",
             "|---|---|---:|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for (kind, level, state), pairs in sorted(recorded.items(), key=lambda item: (item[0][2], item[0][1], item[0][0])):
        rates = resample(pairs, slower=level, margin=MARGIN, seconds=SECONDS, trials=10_000 if not level else 2_000)
        shares = [f"{rates.words.get(word, 0):.2%}" for word in ("slower", "not slower", "undecided")]
        compared = _compared(medians["none", 0.0, state], medians[kind, level, state])
        lines.append(
            f"| {f'{kind} {level:.0%}' if level else 'nothing'} | {state or '-'} | {rates.measured:+.2%} | {rates.pairs} "
            f"| {' | '.join(shares)} | {rates.seconds:.0f} s | {compared:.1%} |"
        )
    lines += [
        "",
        "| live: planted | trials | called slower | not slower | undecided | median time | longest |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for (kind, level), trials in verdicts.items():
        counts = [sum(word == wanted for word, _ in trials) for wanted in ("slower", "not slower", "undecided")]
        times = [seconds for _, seconds in trials]
        lines.append(
            f"| {f'{kind} {level:.0%}' if level else 'nothing'} | {len(trials)} | {' | '.join(map(str, counts))} "
            f"| {np.median(times):.0f} s | {max(times):.0f} s |"
        )
    (HERE / "figures.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _compared(baselines: list[tuple[int, float]], runs: list[tuple[int, float]]) -> float:
    """How often --benchmark-compare-fail=median:5% fails a run against a baseline stored at another time."""
    trials = [run > 1.05 * baseline for (turn, baseline), (later, run) in product(baselines, runs) if turn != later]
    return sum(trials) / len(trials)


def _read(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    {"record": record, "live": live, "report": report}[sys.argv[1]]()
