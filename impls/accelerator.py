"""The device beside the processor that a trainer computes on, as its library names it."""

from __future__ import annotations

from typing import NamedTuple

ADAPTER = "EPOCHBENCH_ADAPTER"  # environment variable: a part of the name of WebGPU's adapter; the option --adapter sets it
VENDORS = {  # by PCI number; software has one of Khronos's
    0x1002: "AMD",
    0x106B: "Apple",
    0x10DE: "NVIDIA",
    0x13B5: "Arm",
    0x1414: "Microsoft",
    0x5143: "Qualcomm",
    0x8086: "Intel",
    0x10005: "Mesa",
}


class Accelerator(NamedTuple):
    """Facts about a device, for the results. An empty text is unknown.

    name     such as "NVIDIA H200", "Apple M2" or "llvmpipe (LLVM 15.0.6, 256 bits)"
    vendor   its maker
    kind     "discrete" with its own memory; "integrated", which shares the processor's memory; "virtual"; "software", which is a program
             on the processor
    backend  the interface below the library, such as "CUDA", "ROCm", "Metal", "Vulkan" or "D3D12"
    driver   the driver with its version
    """

    name: str
    vendor: str = ""
    kind: str = ""
    backend: str = ""
    driver: str = ""

    def __str__(self) -> str:
        """Return the name, with the kind if it is software, and the backend."""
        return ", ".join(filter(None, (self.name, "software" if self.kind == "software" else "", self.backend)))

    def described(self) -> str:
        """Return all that is known, in a line."""
        of = f"{self.name} ({self.vendor})" if self.vendor and self.vendor not in self.name else self.name
        memory = {"integrated": "integrated, shares the processor's memory", "software": "software on the processor"}.get(
            self.kind, self.kind
        )
        return ", ".join(filter(None, (of, memory, self.backend, self.driver and f"driver {self.driver}")))
