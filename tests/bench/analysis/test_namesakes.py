"""Tests of machines with one name: their rows are distinguished."""

import logging

import pytest

from bench import records
from bench.analysis import namesakes
from tests.support.rows import written

ZEN4 = {"cpu": "AMD EPYC", "cpu_id": "AuthenticAMD-25-17-1", "microarchitecture": "zen4"}
ZEN5 = {"cpu": "AMD EPYC", "cpu_id": "AuthenticAMD-26-2-1", "microarchitecture": "zen5"}
OLDER = {"cpu": "AMD EPYC", "cpu_id": "", "microarchitecture": "", "caches": "", "system_model": ""}


@pytest.fixture
def names(tmp_path):
    """Return a function that writes a run with each of the columns and returns the name of every run's machine."""

    def read(*runs):
        paths = [
            written(tmp_path / f"{number}.csv", {("nielsen", "matrix"): 0.1}, run_id=f"r{number}", **{"machine": "ci", **columns})
            for number, columns in enumerate(runs)
        ]
        table = namesakes.read(paths).drop_duplicates("run_id")
        assert list(table["run_id"]) == [f"r{number}" for number in range(len(runs))]
        return list(table["machine"])

    return read


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (ZEN4, ZEN5, ["ci (zen4)", "ci (zen5)"]),
        (ZEN4, {**ZEN4, "cpu_id": "AuthenticAMD-25-17-2"}, ["ci (AuthenticAMD-25-17-1)", "ci (AuthenticAMD-25-17-2)"]),
        ({"cpu": "Intel Xeon"}, {"cpu": "AMD EPYC"}, ["ci (Intel Xeon)", "ci (AMD EPYC)"]),
        ({"cores": 2}, {"cores": 4}, ["ci (2 cores)", "ci (4 cores)"]),
        ({"memory_gib": 15.6}, {"memory_gib": 31.2}, ["ci (15.6 GiB)", "ci (31.2 GiB)"]),
        ({"gpu": "NVIDIA T4"}, {"gpu": "NVIDIA L4"}, ["ci (NVIDIA T4)", "ci (NVIDIA L4)"]),
        ({"gpu": "NVIDIA T4"}, {"gpu": ""}, ["ci", "ci"]),
        ({"memory_gib": 15.6}, {"memory_gib": 15.5}, ["ci", "ci"]),
        (ZEN4, {**ZEN4, "peak_flops": 0.9e11}, ["ci", "ci"]),
        (ZEN4, {**OLDER, "peak_flops": 1.6e11}, ["ci", "ci"]),
        (ZEN4, {**OLDER, "peak_flops": 0.9e11}, ["ci (zen4)", "ci"]),
        (ZEN4, {**OLDER, "peak_flops": 0.9e11, "threads": 1}, ["ci", "ci"]),
        (ZEN4, {**OLDER, "peak_flops": None}, ["ci", "ci"]),
        ({**OLDER, "peak_flops": 2.1e11}, {**OLDER, "peak_flops": 0.91e11}, ["ci (210 GFLOP/s)", "ci (91.0 GFLOP/s)"]),
    ],
    ids=["generation", "stepping", "name", "cores", "memory", "GPU", "without a GPU", "a little memory", "slow phase", "older file",
         "older file, other peak", "older file, other threads", "older file without peaks", "two older files, other peak"],
)  # fmt: skip
def test_runs_of_one_name_are_of_one_machine_only_if_their_hardware_agrees(names, one, other, expected):
    assert names(one, other) == expected


def test_an_older_file_joins_the_machine_that_its_peak_fits(names):
    fast, slow = {**ZEN5, "peak_flops": 2.1e11}, {**ZEN4, "peak_flops": 0.91e11}
    assert names(fast, slow, {**OLDER, "peak_flops": 0.95e11}, {**OLDER, "peak_flops": 2.0e11}) == [
        "ci (zen5)", "ci (zen4)", "ci (zen4)", "ci (zen5)",
    ]  # fmt: skip


def test_a_run_that_may_come_from_several_machines_joins_none_of_them(names):
    unknown = {**OLDER, "threads": 1}
    for order in ([ZEN5, ZEN4, unknown, unknown], [unknown, ZEN4, unknown, ZEN5]):
        expected = {"AuthenticAMD-26-2-1": "ci (zen5)", "AuthenticAMD-25-17-1": "ci (zen4)", "": "ci"}
        assert names(*order) == [expected[run["cpu_id"]] for run in order]


def test_the_number_of_a_processor_is_not_its_name(names):
    assert names({**OLDER, "cpu": "0"}, {"cpu": "neoverse-n1", "cpu_id": "0x41-0xd0c-0x3-1"}) == ["ci", "ci"]


def test_machines_with_the_same_label_get_numbers():
    one, other = namesakes._Hardware({}, {2: 2e11}, ["a"]), namesakes._Hardware({}, {2: 1e11, 1: 2e11}, ["b"])
    assert not one.may_be(other)
    assert namesakes._labels([one, other]) == ["200 GFLOP/s, number 1", "200 GFLOP/s, number 2"]


def test_other_names_stay_and_a_warning_has_the_new_ones(names, caplog):
    with caplog.at_level(logging.WARNING):
        assert names({**ZEN4, "machine": "box"}, ZEN4, ZEN5) == ["box", "ci (zen4)", "ci (zen5)"]
    (warning,) = caplog.messages
    assert warning.startswith("machine ci: the rows are from 2 machines, shown as ci (zen4), ci (zen5)")


def test_every_part_of_the_identity_can_tell_two_machines_apart(names):
    values = {"cores": (2, 4), "memory_gib": (8.0, 16.0)}
    for column in records.HARDWARE:
        one, other = values.get(column, ("one", "other"))
        assert len(set(names({column: one}, {column: other}))) == 2, column
