"""Check of the BLAS kernels under NumPy: are they as wide as the processor's registers, and which setting is faster if not?

OpenBLAS selects its kernels from a table of processor models. For an unknown model it falls back to older kernels, which leave half
of the arithmetic units idle. A comparison of machines then compares these table entries. OPENBLAS_CORETYPE overrides the table.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

from bench.machine.identity import blas
from bench.machine.processor import cpu_info

VARIABLE = "OPENBLAS_CORETYPE"

# Kernels: the register width in bits, and the processor flags (as cpuinfo spells them) that they need to run.
_KERNELS = {
    "Nehalem": (128, {"sse4_2"}),
    "Haswell": (256, {"avx2", "fma"}),
    "Zen": (256, {"avx2", "fma"}),
    "SkylakeX": (512, {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"}),
    "Cooperlake": (512, {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd", "avx512_bf16"}),
    "SapphireRapids": (512, {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd", "avx512_bf16", "avx512_fp16", "amx_tile"}),
}
_FAMILY = {"Prescott": 128, "Core2": 128, "Penryn": 128, "Sandybridge": 256, "Bulldozer": 128, "Piledriver": 128, "Excavator": 256}

_TRIAL = """
import time
import numpy as np, threadpoolctl
a = np.random.default_rng(0).random((768, 768)).astype("float32")
def once():
    begin = time.perf_counter()
    np.dot(a, a)
    return time.perf_counter() - begin
with threadpoolctl.threadpool_limits(1):
    once()
    kernels = [library.get("architecture") for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]
    print(kernels[0], 2 * len(a)**3 / min(once() for _ in range(9)))
"""


@dataclass(frozen=True)
class Trial:
    """A tried setting: the variable's value (None: unset), the kernels that ran, and their float32 rate in FLOP/s on one thread."""

    setting: str | None
    kernels: str
    flops: float


@dataclass(frozen=True)
class KernelCheck:
    """The kernels, the register widths of kernels and processor in bits, and the settings tried if the kernels are narrower."""

    kernels: str
    bits: int
    processor_bits: int
    trials: list[Trial]

    def warning(self) -> str | None:
        """Return the problem and its fix on one line, or None if the kernels are wide enough."""
        if not self.trials:
            return None
        now, *others = self.trials
        best = max(others, key=lambda trial: trial.flops, default=now)
        problem = f"NumPy's BLAS: {self.bits}-bit {self.kernels} kernels on a processor with {self.processor_bits}-bit registers"
        if best.flops < 1.1 * now.flops:
            return f"{problem}; no other setting was faster"
        tried = ", ".join(f"{trial.setting or 'unset'} {trial.flops / now.flops:.2f}x" for trial in others)
        remedy = f"set {VARIABLE}={best.setting}" if best.setting else f"unset {VARIABLE}"
        return f"{problem}; {remedy} for a speedup of {best.flops / now.flops:.2f}x (measured: {tried})"


def check_kernels() -> KernelCheck | None:
    """Check the BLAS of this process. If its kernels are narrower than the processor, time each safe setting in a new process.

    Returns None if the check cannot decide: the BLAS is not OpenBLAS, or the table lacks its kernels or the processor.
    """
    checked = _widths()
    if checked is None:
        return None
    kernels, bits, widest = checked
    trials = []
    if bits < widest:
        own = os.environ.get(VARIABLE)
        settings = [own, *([None] if own else []), *(kind for kind in _safe() if kind != own)]
        first, *others = (_try(setting) for setting in settings)
        trials = [first, *filter(None, others)] if first else []
    return KernelCheck(kernels, bits, widest, trials)


def narrow_kernels() -> str | None:
    """Return the name of the kernels if they are narrower than the processor, else None."""
    kernels, bits, widest = _widths() or ("", 0, 0)
    return kernels if bits < widest else None


def _widths() -> tuple[str, int, int] | None:
    """Return the kernels, and the register widths of the kernels and of the processor; None if one of them is unknown."""
    name, kernels = blas()
    known = {kind.lower(): bits for kind, bits in _FAMILY.items()} | {kind.lower(): bits for kind, (bits, _) in _KERNELS.items()}
    bits, safe = known.get(kernels.lower()), _safe()
    return (kernels, bits, max(safe.values())) if "openblas" in name.lower() and bits and safe else None


def _safe() -> dict[str, int]:
    """Return the kernels that the processor can run, with their register widths."""
    return {kind: width for kind, (width, flags) in _KERNELS.items() if flags <= set(cpu_info().get("flags", []))}


def _try(setting: str | None) -> Trial | None:
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE} | ({VARIABLE: setting} if setting else {})
    try:
        output = subprocess.run([sys.executable, "-c", _TRIAL], env=environment, capture_output=True, text=True, timeout=60, check=True)
        kernels, flops = output.stdout.split()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Trial(setting, kernels, float(flops))
