"""NVIDIA's run-time compiler, called without a GPU: for what device does a kernel compile, and with how many registers?"""

import ctypes
import functools
import importlib.util
import re
from pathlib import Path


@functools.cache
def library():
    """The compiler of the nvidia-cuda-nvrtc wheel, newest first, or None if it is not installed."""
    spec = importlib.util.find_spec("nvidia")
    found = [path for folder in (spec.submodule_search_locations if spec else ()) for path in Path(folder).rglob("libnvrtc.so.*")]
    found = sorted(path for path in found if re.fullmatch(r"libnvrtc\.so\.\d+", path.name))
    return ctypes.CDLL(str(found[-1])) if found else None


def compiled(source, architecture, options, kernels):
    """Compile to machine code, as CuPy does. Of each kernel, the assembler's report: name -> (registers, bytes of spills and stack)."""
    nvrtc, program = library(), ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None) == 0
    for kernel in kernels:
        assert nvrtc.nvrtcAddNameExpression(program, kernel.encode()) == 0
    options = [f"-arch={architecture}", "-ftz=true", "--ptxas-options=-v", *options]  # -ftz as CuPy does; -v for the report
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*(text.encode() for text in options)))
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    report = log.value.decode()
    assert not failed, report
    parts = re.split(r"Compiling entry function '(\w+)'", report)[1:]
    assert len(parts) >= 2 * len(kernels), report
    return {name: _resources(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _resources(report):
    spilled = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", report)
    return int(re.search(r"Used (\d+) registers", report)[1]), sum(map(int, spilled.groups()))
