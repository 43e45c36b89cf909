"""NVIDIA's compiler and disassembler without a GPU: does a kernel compile, with how many registers, into what instructions?"""

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

from tests.support.compile_cache import kept


class Used(NamedTuple):
    """What a kernel takes of the device: registers a thread, bytes of spills and stack, blocks that must be a cluster."""

    registers: int
    spilled: int
    cluster: int


class Instruction(NamedTuple):
    """A machine instruction: its name with all modifiers, and, of a branch to a label, the index of the instruction there."""

    name: str
    target: int | None

    @property
    def loads(self):
        """Does it read device memory? By an address that is known to lie there, or by one that may lie anywhere."""
        return self.name.startswith(("LDG.", "LD."))

    @property
    def stores(self):
        return self.name.startswith(("STG.", "ST.", "RED.", "ATOM"))

    @property
    def multiplies(self):
        return self.name.startswith(("FFMA", "FMUL", "DFMA", "DMUL"))


def _installed(pattern):
    """The files of NVIDIA's wheels whose whole name matches, oldest first."""
    spec = importlib.util.find_spec("nvidia")
    files = [path for folder in (spec.submodule_search_locations if spec else ()) for path in Path(folder).rglob("*")]
    return sorted(path for path in files if re.fullmatch(pattern, path.name))


@functools.cache
def library():
    """The compiler of the nvidia-cuda-nvrtc wheel, newest first, or None if it is not installed."""
    libraries = _installed(r"libnvrtc\.so\.\d+")
    return ctypes.CDLL(str(libraries[-1])) if libraries else None


@functools.cache
def disassembler():
    """The path of nvdisasm, of the nvidia-cuda-nvdisasm wheel or of a CUDA toolkit, or None if it is not installed."""
    return str((_installed("nvdisasm") or [None])[-1] or shutil.which("nvdisasm") or "") or None


needs_nvrtc = pytest.mark.skipif(
    library() is None, reason="needs NVIDIA's run-time compiler: pip install '.[test]' brings it on Linux, x86-64"
)

needs_disassembler = pytest.mark.skipif(
    library() is None or disassembler() is None,
    reason="needs NVIDIA's run-time compiler and disassembler: pip install '.[test]' brings them on Linux, x86-64",
)


def compiled(source, architecture, options, kernels):
    """Compile to machine code, as CuPy does. Of each kernel what it uses, by its name in the machine code."""
    assembly, report, _ = _compiled(source, architecture, options, kernels)
    clusters = {name: int(blocks) for name, blocks in re.findall(r"\.entry (\w+)\([^{]*\.reqnctapercluster (\d+)", assembly)}
    parts = re.split(r"Compiling entry function '(\w+)'", report)[1:]
    assert len(parts) >= 2 * len(kernels), report
    return {name: _used(text, clusters.get(name, 1)) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def disassembled(source, architecture, options, kernels):
    """Compile to machine code, as CuPy does. Of each kernel its instructions, by its name in the machine code."""
    *_, binary = _compiled(source, architecture, options, kernels)

    def disassemble(path):
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(bytes.fromhex(binary))
            file.flush()
            path.write_text(subprocess.run([disassembler(), "-c", file.name], capture_output=True, text=True, check=True).stdout)

    code = kept(disassemble, disassembler(), binary).read_text()
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
    """The assembly, the assembler's report, and the machine code in hexadecimal digits."""
    # The first two as CuPy gives them; the third for the assembler's report.
    options = [f"-arch={architecture}", "-ftz=true", "--device-as-default-execution-space", "--ptxas-options=-v", *options]
    kernels = sorted(kernels)
    version = (ctypes.c_int * 2)()
    library().nvrtcVersion(ctypes.byref(version, 0), ctypes.byref(version, ctypes.sizeof(ctypes.c_int)))
    file = kept(
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
