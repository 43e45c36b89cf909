"""Compiled trainers on machines that restrict their compilers."""

import os
import subprocess
import sys

import pytest

from tests.support.commands import ROOT


def unavailable(name, program="", **variables):
    """Return what a new process prints as the reason why a trainer is unavailable."""
    command = [sys.executable, "-c", f"{program}\nimport impls; print(impls.unavailable({name!r}))"]
    return subprocess.run(command, env=os.environ | variables, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("name", "library", "variable"), [("compiled", "numba", "NUMBA_DISABLE_JIT"), ("jax_cpu", "jax", "JAX_DISABLE_JIT")]
)
def test_a_compiler_that_is_turned_off_makes_a_trainer_unavailable(name, library, variable):
    pytest.importorskip(library)
    assert f"{variable} turns off compilation; unset it" in unavailable(name, **{variable: "1"})


def test_without_a_writable_directory_each_process_compiles():
    pytest.importorskip("numba")
    # As in a read-only installation with a read-only home: Numba finds no directory for its cache.
    assert unavailable("compiled", "import numba.core.caching as caching; caching.CacheImpl._locator_classes = []") == "None\n"
