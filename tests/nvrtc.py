"""NVIDIA's run-time compiler, called without a GPU: for what device does a kernel compile, and with how many registers?"""

import ctypes
import functools
import importlib.util
import re
from pathlib import Path
from typing import NamedTuple

from tests.kept import kept


class Used(NamedTuple):
    """What a kernel takes of the device: registers a thread, bytes of spills and stack, blocks that must be a cluster."""

    registers: int
    spilled: int
    cluster: int


@functools.cache
def library():
    """The compiler of the nvidia-cuda-nvrtc wheel, newest first, or None if it is not installed."""
    spec = importlib.util.find_spec("nvidia")
    found = [path for folder in (spec.submodule_search_locations if spec else ()) for path in Path(folder).rglob("libnvrtc.so.*")]
    found = sorted(path for path in found if re.fullmatch(r"libnvrtc\.so\.\d+", path.name))
    return ctypes.CDLL(str(found[-1])) if found else None


def compiled(source, architecture, options, kernels):
    """Compile to machine code, as CuPy does. Of each kernel what it uses, by its name in the machine code."""
    # The first two as CuPy gives them; the third for the assembler's report.
    options = [f"-arch={architecture}", "-ftz=true", "--device-as-default-execution-space", "--ptxas-options=-v", *options]
    kernels = sorted(kernels)
    version = (ctypes.c_int * 2)()
    library().nvrtcVersion(ctypes.byref(version, 0), ctypes.byref(version, ctypes.sizeof(ctypes.c_int)))
    file = kept(lambda path: path.write_text(_compile(source, options, kernels)), *version, source, *options, *kernels)
    assembly, report = file.read_text().split(REPORT)
    clusters = {name: int(blocks) for name, blocks in re.findall(r"\.entry (\w+)\([^{]*\.reqnctapercluster (\d+)", assembly)}
    parts = re.split(r"Compiling entry function '(\w+)'", report)[1:]
    assert len(parts) >= 2 * len(kernels), report
    return {name: _used(text, clusters.get(name, 1)) for name, text in zip(parts[::2], parts[1::2], strict=True)}


REPORT = "\n--- report ---\n"


def _compile(source, options, kernels):
    """Return the assembly and the assembler's report as one text."""
    nvrtc, program = library(), ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None) == 0
    for kernel in kernels:
        assert nvrtc.nvrtcAddNameExpression(program, kernel.encode()) == 0
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*(text.encode() for text in options)))
    report = _text(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program)
    assert not failed, report
    assembly = _text(nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX, program)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return assembly + REPORT + report


def _text(size_of, get, program):
    size = ctypes.c_size_t()
    assert size_of(program, ctypes.byref(size)) == 0
    text = ctypes.create_string_buffer(size.value)
    assert get(program, text) == 0
    return text.value.decode()


def _used(report, cluster):
    spilled = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", report)
    return Used(int(re.search(r"Used (\d+) registers", report)[1]), sum(map(int, spilled.groups())), cluster)
