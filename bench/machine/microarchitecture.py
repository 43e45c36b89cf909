"""Names of processor generations by vendor, family and model, for processors that a result may come from.

The name of a processor is not enough: cloud providers shorten it, so a Zen 4 and a Zen 5 are both called "AMD EPYC". Neither are its
features, because a hypervisor may hide some. The names are those of compilers, such as "zen4" and "sapphirerapids".
"""

from __future__ import annotations

# Intel, family 6: the model numbers. A number stands for one design, for servers or for other computers.
_INTEL = {
    "sandybridge": (0x2A, 0x2D),
    "ivybridge": (0x3A, 0x3E),
    "haswell": (0x3C, 0x3F, 0x45, 0x46),
    "broadwell": (0x3D, 0x47, 0x4F, 0x56),
    "skylake": (0x4E, 0x5E),
    "kabylake": (0x8E, 0x9E),
    "cometlake": (0xA5, 0xA6),
    "icelake": (0x6A, 0x6C, 0x7D, 0x7E),
    "tigerlake": (0x8C, 0x8D),
    "rocketlake": (0xA7,),
    "alderlake": (0x97, 0x9A, 0xBE),
    "raptorlake": (0xB7, 0xBA, 0xBF),
    "meteorlake": (0xAA, 0xAC),
    "lunarlake": (0xBD,),
    "arrowlake": (0xB5, 0xC5, 0xC6),
    "sapphirerapids": (0x8F,),
    "emeraldrapids": (0xCF,),
    "graniterapids": (0xAD, 0xAE),
    "sierraforest": (0xAF,),
}
_SKYLAKE_SERVER = 0x55  # three designs with one model number: they differ in the stepping

# AMD: per family, the generations and the ranges of their model numbers, first and last.
_AMD: dict[int, dict[str, tuple[tuple[int, int], ...]]] = {
    23: {"zen": ((0x00, 0x2F), (0x50, 0x5F)), "zen2": ((0x30, 0x4F), (0x60, 0x7F), (0x90, 0x91), (0xA0, 0xAF))},
    25: {"zen3": ((0x00, 0x0F), (0x20, 0x5F)), "zen4": ((0x10, 0x1F), (0x60, 0xAF))},
    26: {"zen5": ((0x00, 0x4F), (0x60, 0x7F)), "zen6": ((0x50, 0x5F), (0x80, 0xCF))},
}

# ARM: per implementer, the part numbers.
_ARM: dict[int, dict[int, str]] = {
    0x41: {
        0xD03: "cortex-a53", 0xD07: "cortex-a57", 0xD08: "cortex-a72", 0xD09: "cortex-a73", 0xD0A: "cortex-a75", 0xD0B: "cortex-a76",
        0xD0C: "neoverse-n1", 0xD0D: "cortex-a77", 0xD40: "neoverse-v1", 0xD41: "cortex-a78", 0xD44: "cortex-x1", 0xD46: "cortex-a510",
        0xD47: "cortex-a710", 0xD48: "cortex-x2", 0xD49: "neoverse-n2", 0xD4A: "neoverse-e1", 0xD4F: "neoverse-v2",
        0xD83: "neoverse-v3ae", 0xD84: "neoverse-v3", 0xD8E: "neoverse-n3",
    },
    0x43: {0x0AF: "thunderx2"},
    0x46: {0x001: "a64fx"},
    0x48: {0xD01: "kunpeng-920"},
    0x51: {0x001: "oryon"},
    0x61: {0x022: "apple-m1", 0x023: "apple-m1", 0x024: "apple-m1", 0x025: "apple-m1", 0x028: "apple-m1", 0x029: "apple-m1",
           0x032: "apple-m2", 0x033: "apple-m2"},
    0xC0: {0xAC3: "ampere-1", 0xAC4: "ampere-1a"},
}  # fmt: skip


def x86(vendor: str, family: int, model: int, stepping: int) -> str:
    """Return the generation of an x86 processor, such as "zen4"; empty if it is not in the table.

    vendor  as the processor spells it: "GenuineIntel" or "AuthenticAMD"
    """
    if vendor == "AuthenticAMD":
        for name, ranges in _AMD.get(family, {}).items():
            if any(first <= model <= last for first, last in ranges):
                return name
    if vendor == "GenuineIntel" and family == 6:
        if model == _SKYLAKE_SERVER:
            return "skylake-avx512" if stepping < 5 else "cascadelake" if stepping < 10 else "cooperlake"
        for name, models in _INTEL.items():
            if model in models:
                return name
    return ""


def arm(implementer: int, part: int) -> str:
    """Return the core of an ARM processor, such as "neoverse-n1"; empty if it is not in the table."""
    return _ARM.get(implementer, {}).get(part, "")
