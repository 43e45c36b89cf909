"""The compiled trainer on machines that restrict Numba."""

import subprocess
import sys

import pytest

pytest.importorskip("numba")

from tests.support.commands import ROOT


def test_without_a_writable_directory_each_process_compiles():
    # As in a read-only installation with a read-only home: Numba finds no directory for its cache.
    program = (
        "import numba.core.caching as caching\n"
        "caching.CacheImpl._locator_classes = []\n"
        "from impls import unavailable\n"
        "print(unavailable('compiled'))"
    )
    output = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert output.stdout == "None\n"
