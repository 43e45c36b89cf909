"""Which trainers can run here, and on which device.

A process of its own finds out, `python -m bench.contribute.probe NAMES`: it loads every trainer's libraries, and some of them take a
share of the GPU's memory for as long as they live.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.contribute import child_events
from bench.contribute.child_events import event_line, parse_event
from bench.measure.case import absent
from impls import InputError, load_trainer

_SECONDS = 300.0  # in which the libraries of all trainers must load


def probe(trainers: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the device of each trainer that can run here, and why each of the others cannot. Raises InputError for an unknown name."""
    answers: list[dict[str, dict[str, str]]] = []

    def listen(line: str) -> None:
        if answer := parse_event(line):
            answers.append(answer)

    ended = child_events.run(["-m", "bench.contribute.probe", ",".join(trainers)], seconds=_SECONDS, line=listen)
    if not answers:
        raise InputError(f"--trainers: {ended.tail[-1] if ended.tail else f'loading them ends the interpreter, exit code {ended.code}'}")
    return answers[-1]["devices"], answers[-1]["absent"]


def main(names: str) -> int:
    """Print {"devices": {trainer: device}, "absent": {trainer: reason}}. Return 2, with a message, for an unknown name."""
    devices, reasons = {}, {}
    try:
        for name in names.split(","):
            if (reason := absent(name)) is None:
                devices[name] = load_trainer(name).device
            else:
                reasons[name] = reason
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(event_line(devices=devices, absent=reasons))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
