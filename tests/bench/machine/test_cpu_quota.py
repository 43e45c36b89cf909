"""CPU quotas of control groups, versions 1 and 2, and what a run says about them."""

import pytest

from bench.machine import affinity, cpu_quota

CASES = {
    "version 2": ("0::/app\n", {"app/cpu.max": "150000 100000\n"}, 1.5),
    "the parent has less": ("0::/pod/app\n", {"pod/cpu.max": "50000 100000\n", "pod/app/cpu.max": "200000 100000\n"}, 0.5),
    "no limit": ("0::/app\n", {"app/cpu.max": "max 100000\n"}, None),
    "version 1": (
        "4:memory:/x\n3:cpu,cpuacct:/app\n",
        {"cpu,cpuacct/app/cpu.cfs_quota_us": "50000\n", "cpu,cpuacct/app/cpu.cfs_period_us": "100000\n"},
        0.5,
    ),
    "version 1, no limit": ("3:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
    "a container, whose mount is its group": ("0::/docker/0a1b\n", {"cpu.max": "25000 100000\n"}, 0.25),
    "not a group": ("", {}, None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_quota_is_the_smallest_of_the_group_and_its_parents(tmp_path, case):
    groups, files, quota = CASES[case]
    (tmp_path / "groups").write_text(groups)
    for name, content in files.items():
        file = tmp_path / "mount" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    assert cpu_quota.cpu_quota(tmp_path / "groups", tmp_path / "mount") == quota


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert cpu_quota.cpu_quota(tmp_path / "nothing") is None


@pytest.mark.parametrize(("quota", "threads"), [(None, 4), (8.0, 4), (2.5, 2), (0.5, 1)])
def test_the_default_number_of_threads_obeys_the_quota(monkeypatch, quota, threads):
    monkeypatch.setattr(affinity, "processors", lambda: [0, 1, 2, 3])
    monkeypatch.setattr(affinity, "cpu_quota", lambda: quota)
    assert affinity.default_threads() == threads


def test_a_run_warns_of_a_quota_below_its_threads():
    assert cpu_quota.warning(2, None) is cpu_quota.warning(2, 2.0) is None
    assert "give --threads 1, or raise it" in cpu_quota.warning(2, 1.5)
    assert cpu_quota.warning(1, 0.5).endswith("; raise it")
