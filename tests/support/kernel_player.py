"""CUDA C++ compiled for the CPU, where simt.cpp emulates the threads of a kernel."""

import ctypes
import functools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.compile_cache import cached

HERE = Path(__file__).parent
COMPILER = shutil.which("g++")

needs_compiler = pytest.mark.skipif(COMPILER is None or sys.platform != "linux", reason="needs g++ on Linux to emulate kernels")


class Launch(ctypes.Structure):
    """The launch struct of simt.h."""

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
    """Compile C++ for the CPU and return the path of the library.

    The emulator jumps from one stack to another. -U_FORTIFY_SOURCE disables the check that forbids it.
    """

    def build(path):
        command = [COMPILER, "-std=c++17", "-w", "-U_FORTIFY_SOURCE", "-shared", "-fPIC", f"-I{HERE}", *options, "-xc++", "-", "-o", path]
        built = subprocess.run(command, input=code, capture_output=True, text=True)
        assert built.returncode == 0, f"{name}: {built.stderr}"

    headers = [(HERE / name).read_text(encoding="utf-8") for name in ("simt.h", "simt_state.h")]
    return cached(build, _compiler(), *headers, code, *options)


@functools.cache
def _emulator():
    """Load the emulator, with global symbols for the libraries of kernels."""
    return ctypes.CDLL(str(_built("simt.cpp", (HERE / "simt.cpp").read_text(encoding="utf-8"), "-O2")), mode=ctypes.RTLD_GLOBAL)


@functools.cache
def emulated(code, options, kernels):
    """Compile kernels for the CPU and return the library."""
    _emulator()
    text = ['#include "simt.h"', code, *(f"PLAY({symbol(name)}, {name})" for name in kernels)]
    text.append('extern "C" const int barriers = __COUNTER__;')
    return ctypes.CDLL(str(_built("kernels", "\n".join(text), "-O1", *options)))
