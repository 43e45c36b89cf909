"""Tests of the processor's identity: what tells two processors apart that have one name."""

import platform

import pytest

from bench.machine import microarchitecture, processor
from bench.machine.identity import describe
from bench.machine.system_model import system_model

NEOVERSE = "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n"
BIG, LITTLE = (f"CPU implementer\t: 0x41\nCPU variant\t: 0x0\nCPU part\t: {part}\nCPU revision\t: 4\n" for part in ("0xd08", "0xd03"))


def described(monkeypatch, tmp_path, info, cpuinfo=""):
    """Return the processor that cpuinfo describes so, with this text in /proc/cpuinfo."""
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(processor, "cpu_info", lambda: info)
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    return processor.processor()


@pytest.mark.parametrize(
    ("brand", "name"),
    [
        ("Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz", "Intel Xeon Platinum 8488C"),
        ("AMD EPYC 9R14 96-Core Processor", "AMD EPYC 9R14"),
        ("Apple M3 Pro", "Apple M3 Pro"),
        ("13th Gen Intel(R) Core(TM) i7-1360P", "13th Gen Intel Core i7-1360P"),
    ],
)
def test_the_processor_name_omits_trademarks_clock_and_core_count(monkeypatch, tmp_path, brand, name):
    assert described(monkeypatch, tmp_path, {"brand_raw": brand}).name == name


def test_two_processors_that_hide_their_models_get_two_machine_names(monkeypatch, tmp_path):
    names = []
    for family, model in ((25, 17), (26, 2)):
        info = {"brand_raw": "AMD EPYC", "vendor_id_raw": "AuthenticAMD", "family": family, "model": model, "stepping": 1}
        one = described(monkeypatch, tmp_path, info)
        names.append((one.id, describe().machine.split("-core")[0].rsplit("-", 1)[0]))
    assert names == [("AuthenticAMD-25-17-1", "amd-epyc-zen4"), ("AuthenticAMD-26-2-1", "amd-epyc-zen5")]


def test_a_name_with_a_model_number_needs_no_microarchitecture(monkeypatch, tmp_path):
    info = {"brand_raw": "Intel(R) Xeon(R) Platinum 8488C", "vendor_id_raw": "GenuineIntel", "family": 6, "model": 143, "stepping": 8}
    one = described(monkeypatch, tmp_path, info)
    assert (one.kind, one.microarchitecture, one.id) == ("Intel Xeon Platinum 8488C", "sapphirerapids", "GenuineIntel-6-143-8")


@pytest.mark.parametrize(
    ("cpuinfo", "name", "identifier"),
    [
        (f"{NEOVERSE}\n{NEOVERSE}", "neoverse-n1", "0x41-0xd0c-0x3-1"),
        (f"{LITTLE}\n{LITTLE}\n{BIG}", "cortex-a53+cortex-a72", "0x41-0xd03-0x0-4+0x41-0xd08-0x0-4"),
    ],
    ids=["server", "two kinds of cores"],
)
def test_an_arm_processor_without_a_name_is_called_by_its_core(monkeypatch, tmp_path, cpuinfo, name, identifier):
    one = described(monkeypatch, tmp_path, {"brand_raw": "0"}, cpuinfo)
    assert (one.name, one.microarchitecture, one.id) == (name, name, identifier)


def test_an_unknown_processor_still_has_a_name(monkeypatch, tmp_path):
    one = described(monkeypatch, tmp_path, {})
    assert one.name
    assert one.microarchitecture == ""
    if platform.system() == "Linux":
        assert one.id == ""


def test_the_table_has_no_model_twice():
    models = [model for models in microarchitecture._INTEL.values() for model in models]
    assert len(models) == len(set(models))
    for family, generations in microarchitecture._AMD.items():
        for model in range(256):
            named = [name for name, ranges in generations.items() if any(first <= model <= last for first, last in ranges)]
            assert len(named) <= 1, (family, model)
    assert [microarchitecture.x86("GenuineIntel", 6, 0x55, stepping) for stepping in (4, 7, 11)] == [
        "skylake-avx512", "cascadelake", "cooperlake",
    ]  # fmt: skip


@pytest.mark.skipif(platform.system() != "Linux", reason="Linux shows the firmware's texts as files")
@pytest.mark.parametrize(
    ("maker", "model", "expected"),
    [
        ("Amazon EC2\n", "m7i.large\n", "Amazon EC2 m7i.large"),
        ("Google\n", "Google Compute Engine\n", "Google Compute Engine"),
        (None, None, "Raspberry Pi 5 Model B Rev 1.0"),
    ],
)
def test_the_kind_of_virtual_machine_is_named(tmp_path, maker, model, expected):
    (tmp_path / "model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    if maker:
        (tmp_path / "sys_vendor").write_text(maker)
        (tmp_path / "product_name").write_text(model)
    assert system_model(tmp_path, tmp_path / "model") == expected
