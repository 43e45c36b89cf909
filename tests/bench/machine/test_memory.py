"""Free memory in containers, and that a small one keeps the measured rows."""

import pytest

from bench.machine import memory, peaks

CASES = {
    "version 2": (
        "0::/app\n",
        {"app/memory.max": "1000", "app/memory.current": "700", "app/memory.stat": "anon 500\ninactive_file 200\n"},
        500,
    ),
    "the parent has less": (
        "0::/pod/app\n",
        {"pod/memory.max": "900", "pod/memory.current": "800", "pod/memory.stat": "", "pod/app/memory.max": "max"},
        100,
    ),
    "version 1": (
        "4:memory:/x\n3:cpu,cpuacct:/app\n",
        {
            "memory/x/memory.limit_in_bytes": "1000",
            "memory/x/memory.usage_in_bytes": "600",
            "memory/x/memory.stat": "total_inactive_file 50\n",
        },
        450,
    ),
    "over its limit": ("0::/\n", {"memory.max": "10", "memory.current": "20", "memory.stat": ""}, 0),
}


def laid(directory, groups, files):
    (directory / "groups").write_text(groups)
    for name, content in files.items():
        file = directory / "mount" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return directory / "groups", directory / "mount"


@pytest.mark.parametrize("case", CASES)
def test_free_memory_is_the_least_that_the_group_and_its_parents_leave(tmp_path, case):
    *there, free = CASES[case]
    assert memory.allowed(*laid(tmp_path, *there)).free == free


def test_without_a_limit_the_memory_of_the_machine_is_free(tmp_path):
    assert memory.allowed(*laid(tmp_path, "0::/app\n", {"app/memory.max": "max"})).free > 1 << 20


def test_the_copy_for_the_peak_fits_into_a_quarter_of_the_free_memory(monkeypatch):
    taken = []

    def ones(count, dtype):
        taken.append(2 * count)
        return peaks.np.zeros(count, dtype)

    monkeypatch.setattr(peaks.np, "ones", ones)
    monkeypatch.setattr(peaks.memory, "allowed", lambda: memory.Memory(1 << 30, 400 << 20))
    assert peaks.measure("numpy", "float32").bytes > 0
    assert taken == [100 << 20]
