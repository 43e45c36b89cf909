"""Maker and model of the computer, or of the virtual machine, such as "Amazon EC2 m7i.large"."""

from __future__ import annotations

import platform
import sys
from contextlib import suppress
from pathlib import Path

from bench.machine.processor import cpu_info, sysctl, text_of

_DMI, _DEVICE_TREE = Path("/sys/class/dmi/id"), Path("/sys/firmware/devicetree/base/model")


def system_model(dmi: Path = _DMI, device_tree: Path = _DEVICE_TREE) -> str:
    """Return the maker and the model; "virtual machine" if it has no model; empty if unknown.

    dmi          directory where Linux shows what the firmware says, on PCs and servers
    device_tree  file where Linux shows the model, on small ARM computers
    """
    if sys.platform == "win32":
        said = _windows()
    elif platform.system() == "Darwin":
        said = ["Apple", sysctl("hw.model")]
    else:
        said = [text_of(dmi / "sys_vendor"), text_of(dmi / "product_name")]
        said = said if any(said) else [text_of(device_tree)]
    maker, *model = (" ".join(text.strip("\0").split()) for text in said)
    name = " ".join(text for text in [maker, *model] if text)
    if model and model[0].lower().startswith(maker.lower()):  # "Google" and "Google Compute Engine"
        name = model[0]
    return name or ("virtual machine" if "hypervisor" in cpu_info().get("flags", []) else "")


def _windows() -> list[str]:
    if sys.platform == "win32":
        import winreg

        with suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\BIOS") as key:
            return [str(winreg.QueryValueEx(key, name)[0]) for name in ("SystemManufacturer", "SystemProductName")]
    return ["", ""]
