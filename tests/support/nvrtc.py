"""NVIDIA's compiler and disassembler, which need no GPU: the registers and the instructions of a compiled kernel."""

import ctypes
import functools
import importlib.util
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.compile_cache import cached


class Used(NamedTuple):
    """The resources of a kernel: registers per thread, bytes of spills and stack, required blocks per cluster."""

    registers: int
    spilled: int
    cluster: int


class Instruction(NamedTuple):
    """A machine instruction.

    name    its name with all modifiers
    target  for a branch to a label, the index of the instruction at the label; else None
    """

    name: str
    target: int | None

    @property
    def loads(self):
        """Whether it reads device memory, through a global address (LDG) or a generic one (LD)."""
        return self.name.startswith(("LDG.", "LD."))

    @property
    def stores(self):
        return self.name.startswith(("STG.", "ST.", "RED.", "ATOM"))

    @property
    def multiplies(self):
        return self.name.startswith(("FFMA", "FMUL", "DFMA", "DMUL"))


def _installed(pattern):
    """Return the files of NVIDIA's wheels whose full name matches the pattern, sorted by path."""
    spec = importlib.util.find_spec("nvidia")
    files = [path for folder in (spec.submodule_search_locations if spec else ()) for path in Path(folder).rglob("*")]
    return sorted(path for path in files if re.fullmatch(pattern, path.name))


@functools.cache
def library():
    """Return the newest compiler of the nvidia-cuda-nvrtc wheels, or None if none is installed."""
    libraries = _installed(r"libnvrtc\.so\.\d+")
    return ctypes.CDLL(str(libraries[-1])) if libraries else None


@functools.cache
def disassembler():
    """Return the path of nvdisasm, from the nvidia-cuda-nvdisasm wheel or a CUDA toolkit, or None if it is not installed."""
    return str((_installed("nvdisasm") or [None])[-1] or shutil.which("nvdisasm") or "") or None


needs_nvrtc = pytest.mark.skipif(library() is None, reason="needs NVIDIA's run-time compiler; pip install '.[test]' on Linux, x86-64")

needs_disassembler = pytest.mark.skipif(
    library() is None or disassembler() is None,
    reason="needs NVIDIA's run-time compiler and disassembler; pip install '.[test]' on Linux, x86-64",
)


def compiled(source, architecture, options, kernels):
    """Compile to machine code, as CuPy does. Return the resources of each kernel by its name in the machine code."""
    assembly, report, _ = _compiled(source, architecture, options, kernels)
    clusters = {name: int(blocks) for name, blocks in re.findall(r"\.entry (\w+)\([^{]*\.reqnctapercluster (\d+)", assembly)}
    parts = re.split(r"Compiling entry function '(\w+)'", report)[1:]
    assert len(parts) >= 2 * len(kernels), report
    return {name: _used(text, clusters.get(name, 1)) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def disassembled(source, architecture, options, kernels):
    """Compile to machine code, as CuPy does. Return the instructions of each kernel by its name in the machine code."""
    *_, binary = _compiled(source, architecture, options, kernels)

    def disassemble(path):
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(bytes.fromhex(binary))
            file.flush()
            path.write_text(subprocess.run([disassembler(), "-c", file.name], capture_output=True, text=True, check=True).stdout)

    code = cached(disassemble, disassembler(), binary).read_text()
    sections = re.split(r"^\.text\.(\w+):$", code, flags=re.MULTILINE)[1:]
    return {name: _instructions(text) for name, text in zip(sections[::2], sections[1::2], strict=True)}


def _instructions(text):
    """Parse lines such as `/*0490*/ @!P1 BRA `(.L_x_27) ;` and labels such as `.L_x_27:`."""
    lines = re.findall(r"^(?:(\.L\w+):|\s+/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+ )?([A-Z][\w.]*)(?:[^;]*`\((\.L\w+)\))?[^;]*;)", text, re.MULTILINE)
    labels, instructions = {}, []
    for label, name, target in lines:
        if label:
            labels[label] = len(instructions)
        else:
            instructions.append((name, target))
    return [Instruction(name, labels.get(target)) for name, target in instructions]


SEPARATOR = "\n--- separator ---\n"


def _compiled(source, architecture, options, kernels):
    """Return the assembly, the assembler's report, and the machine code in hexadecimal digits."""
    # -arch and -ftz are CuPy's. The last option makes the assembler print its report.
    options = [f"-arch={architecture}", "-ftz=true", "--device-as-default-execution-space", "--ptxas-options=-v", *options]
    kernels = sorted(kernels)
    version = (ctypes.c_int * 2)()
    library().nvrtcVersion(ctypes.byref(version, 0), ctypes.byref(version, ctypes.sizeof(ctypes.c_int)))
    file = cached(
        lambda path: path.write_text(SEPARATOR.join(_compile(source, options, kernels))), *version, source, *options, *kernels, SEPARATOR
    )
    return file.read_text().split(SEPARATOR)


def _compile(source, options, kernels):
    nvrtc, program = library(), ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None) == 0
    for kernel in kernels:
        assert nvrtc.nvrtcAddNameExpression(program, kernel.encode()) == 0
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*(text.encode() for text in options)))
    report = _bytes(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program).rstrip(b"\0").decode()
    assert not failed, report
    assembly = _bytes(nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX, program).rstrip(b"\0").decode()
    binary = _bytes(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program).hex()
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return assembly, report, binary


def _bytes(size_of, get, program):
    size = ctypes.c_size_t()
    assert size_of(program, ctypes.byref(size)) == 0
    content = ctypes.create_string_buffer(size.value)
    assert get(program, content) == 0
    return content.raw


def _used(report, cluster):
    spilled = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", report)
    return Used(int(re.search(r"Used (\d+) registers", report)[1]), sum(map(int, spilled.groups())), cluster)
