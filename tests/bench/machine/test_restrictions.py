"""What a run says of a process that does not have the whole machine."""

import os
import subprocess
import sys

import psutil
import pytest

from bench.machine import affinity
from bench.machine.restrictions import restrictions
from tests.support.commands import ROOT

SHOW = """
import os, resource
from bench.machine import affinity
os.sched_setaffinity(0, affinity.processors()[:1])
os.nice(5)
_, hard = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (1 << 31, hard))
from bench.machine.restrictions import restrictions
print(*restrictions(1), sep="\\n")
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs sched_setaffinity")
def test_every_restriction_is_named():
    output = subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    if (os.cpu_count() or 1) > 1:
        assert output.pop(0) == f"affinity: this process is limited to 1 of {os.cpu_count()} processors by taskset or a launcher"
    assert output[0] == f"nice {min(os.nice(0) + 5, 19)}: other programs have a higher priority; start the run without nice"
    if psutil.virtual_memory().total > 1 << 32:
        assert output[-1].startswith("memory: this process is limited to 2.00 of ")


@pytest.mark.skipif(affinity.available() != os.cpu_count(), reason="the tests themselves may not run on every processor")
def test_all_processors_are_no_restriction():
    assert not any(line.startswith("affinity") for line in restrictions(1))
