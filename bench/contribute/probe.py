"""`python -m bench.contribute.probe NAMES`: which trainers can run here, and on which device, as a JSON object after a MARK.

In a process of its own: it loads every trainer's libraries, and some take a share of the GPU's memory for as long as they live.
"""

from __future__ import annotations

import json
import sys

from bench.contribute.child import MARK
from bench.measure.case import absent
from impls import InputError, load_trainer


def main(names: str) -> int:
    """Print {"able": {trainer: device}, "absent": {trainer: reason}}. Return 2, with a message, for a name that there is not."""
    able, unable = {}, {}
    try:
        for name in names.split(","):
            if (reason := absent(name)) is None:
                able[name] = load_trainer(name).device
            else:
                unable[name] = reason
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(MARK + json.dumps({"able": able, "absent": unable}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
