"""CUDA C++ compiled for the CPU, where simt.cpp plays the threads of a kernel."""

import ctypes
import functools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.compile_cache import kept

HERE = Path(__file__).parent
COMPILER = shutil.which("g++")

needs_compiler = pytest.mark.skipif(COMPILER is None or sys.platform != "linux", reason="needs g++ on Linux, to play kernels on the CPU")


class Launch(ctypes.Structure):
    """One launch, as simt.h declares it."""

    _fields_ = [
        ("grid", ctypes.c_int * 3),
        ("threads", ctypes.c_int),
        ("shared_bytes", ctypes.c_int),
        ("followed", ctypes.c_int),
        ("seed", ctypes.c_uint),
        ("without", ctypes.c_int),
    ]


def symbol(name):
    return "play_" + "".join(letter if letter.isalnum() else "_" for letter in name)


@functools.cache
def _compiler():
    return subprocess.run([COMPILER, "--version"], capture_output=True, text=True, check=True).stdout


def _built(name, code, *options):
    """The path of a library, compiled from C++ for the CPU. A jump from one stack to another is meant: no check is to forbid it."""

    def build(path):
        command = [COMPILER, "-std=c++17", "-w", "-U_FORTIFY_SOURCE", "-shared", "-fPIC", f"-I{HERE}", *options, "-xc++", "-", "-o", path]
        built = subprocess.run(command, input=code, capture_output=True, text=True)
        assert built.returncode == 0, f"{name}: {built.stderr}"

    headers = [(HERE / name).read_text(encoding="utf-8") for name in ("simt.h", "simt_state.h")]
    return kept(build, _compiler(), *headers, code, *options)


@functools.cache
def _player():
    """What plays kernels, loaded so that they find it."""
    return ctypes.CDLL(str(_built("simt.cpp", (HERE / "simt.cpp").read_text(encoding="utf-8"), "-O2")), mode=ctypes.RTLD_GLOBAL)


@functools.cache
def played(code, options, kernels):
    """Compile kernels for the CPU and return the library."""
    _player()
    text = ['#include "simt.h"', code, *(f"PLAY({symbol(name)}, {name})" for name in kernels)]
    text.append('extern "C" const int barriers = __COUNTER__;')
    return ctypes.CDLL(str(_built("kernels", "\n".join(text), "-O1", *options)))
