"""Detection of the trainers that can run here, and of their devices.

It runs in a child process, `python -m bench.contribute.probe NAMES`, because it loads the libraries of every trainer. Some libraries occupy
GPU memory until their process ends.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.measure.case import absent
from bench.system import child_events
from bench.system.child_events import event_line, parse_event
from impls import InputError, load_trainer

_SECONDS = 300.0  # timeout for loading the libraries of all trainers


def probe(trainers: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the device of each trainer that can run here, and the reason for each other one. Raises InputError for an unknown name."""
    answers: list[dict[str, dict[str, str]]] = []

    def listen(line: str) -> None:
        if answer := parse_event(line):
            answers.append(answer)

    ended = child_events.run(["-m", "bench.contribute.probe", ",".join(trainers)], seconds=_SECONDS, line=listen)
    if not answers:
        raise InputError("--trainers", ended.tail[-1] if ended.tail else f"loading them ended Python with exit code {ended.code}")
    return answers[-1]["devices"], answers[-1]["absent"]


def main(names: str) -> int:
    """Print {"devices": {trainer: device}, "absent": {trainer: reason}}. For an unknown name, print an error and return 2."""
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
