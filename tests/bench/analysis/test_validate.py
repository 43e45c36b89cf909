"""Tests of `python -m bench check`: a valid file passes, and every problem is reported."""

import getpass
import re
from csv import DictReader, DictWriter
from dataclasses import replace

import pytest

from bench.__main__ import main
from bench.analysis import validate as module
from bench.analysis.validate import check
from bench.records import Writer
from tests.support.commands import ROOT
from tests.support.refusals import assert_about
from tests.support.rows import rows, written

TIMES = {("nielsen", "loop"): 1.0, ("nielsen", "matrix"): 0.1}
PEAKS = {"peak_flops": 2e11, "peak_bytes": 2e10}  # the floor of an epoch of nielsen is 24 ms


def test_a_valid_file_and_the_committed_files_pass(tmp_path, capsys):
    assert main(["check", str(written(tmp_path / "a.csv", TIMES, **PEAKS))]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{tmp_path / 'a.csv'}: ")
    assert "plausible" in line
    assert main(["check", str(ROOT / "results" / "amd-epyc-zen5-2-core")]) == 0


@pytest.mark.parametrize(
    ("columns", "place", "facts"),
    [
        ({"max_error": 0.5}, "nielsen loop, column max_error", ["5.0e-01"]),
        ({"accuracy": 1.5}, "nielsen loop, column accuracy", ["0 and 1"]),
        ({"layers": "wide"}, "nielsen loop, column layers", ["'wide'"]),
        ({"flops": 10**12}, "nielsen loop, column flops", ["1,000,000,000,000", "4,794,000,000 "]),
        ({"peak_flops": 1e9}, "nielsen matrix, column seconds", ["round 1", "0.099 s", "4.79 s"]),
        ({"peak_bytes": 1e8}, "nielsen matrix, column seconds", ["1.57 s"]),
        ({"peak_flops": 2e12, "cores": 2}, "nielsen loop, column peak_flops", ["2.0e+12", "2 cores"]),
        ({"dirty": True}, "column dirty", []),
        ({"commit": ""}, "column commit", []),
        ({"machine": "My Box"}, "column machine", ["'My Box'", "my-box"]),
        ({"cpu": "Xeon of ann@example.org"}, "column cpu", ["'Xeon of ann@example.org'", "email address"]),
        ({"library": "/home/ann/numpy"}, "column library", ["'/home/ann/numpy'", "path"]),
        ({"library": "C:\\Users\\ann"}, "column library", ["path"]),
        ({"os": "Linux 10.0.0.7"}, "column os", ["network address"]),
        ({"cpu": "node7.internal"}, "column cpu", ["host name"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_every_problem_is_reported(tmp_path, capsys, columns, place, facts):
    path = written(tmp_path / "a.csv", TIMES, **columns)
    found = {problem.thing: problem for problem in check(path)}
    assert_about(found[f"{path}, {place}"], f"{path}, {place}", *facts)
    assert main(["check", str(path)]) == 1
    assert capsys.readouterr().out.splitlines()[: len(found)] == [str(problem) for problem in found.values()]


MAIN = ROOT / "results" / "amd-epyc-zen5-2-core" / "main.csv"


def multiplied(path, factor, digits=9):
    """Copy the committed run to the path, with another run_id and its seconds times the factor."""
    with MAIN.open(newline="") as file:
        lines = list(DictReader(file))
    for line in lines:
        line["run_id"], line["seconds"] = "20270101T000000Z-00000000", f"{float(line['seconds']) * factor:.{digits}g}"
    with path.open("w", newline="") as file:
        writer = DictWriter(file, lines[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    return path


@pytest.mark.parametrize(("factor", "digits"), [(1.37, 9), (1.0, 9), (2.5, 4)])
def test_the_rounds_of_another_run_times_a_constant_are_a_problem(tmp_path, capsys, factor, digits):
    path = multiplied(tmp_path / "a.csv", factor, digits)
    assert main(["check", str(path)]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "column seconds" in line]
    assert str(MAIN) in line
    assert f"times {factor:.3g};" in line


def test_the_same_run_in_two_files_is_no_copy(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(MAIN.read_bytes())
    assert main(["check", str(path)]) == 0


def test_a_file_without_an_undisturbed_case_is_undecided(tmp_path, capsys):
    assert main(["check", str(written(tmp_path / "a.csv", TIMES, **PEAKS, load=0.5))]) == 3
    assert "every case was disturbed" in capsys.readouterr().out


def test_host_and_user_name_of_this_machine_are_reported(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module.platform, "node", lambda: "vaio-7")
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    assert main(["check", str(written(tmp_path / "a.csv", TIMES, machine="ann-s-vaio-7", cpu="Planned CPU"))]) == 1
    output = capsys.readouterr().out
    assert "column machine: 'ann-s-vaio-7' contains this machine's host name\n" in output
    assert "column machine: 'ann-s-vaio-7' contains your user name\n" in output
    assert "Planned" not in output


def test_a_host_named_linux_and_a_user_without_a_name_are_not_problems(tmp_path, capsys, monkeypatch):
    def unknown():
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr(module.platform, "node", lambda: "linux")
    monkeypatch.setattr(getpass, "getuser", unknown)
    assert main(["check", str(written(tmp_path / "a.csv", TIMES))]) == 0, capsys.readouterr().out


def test_missing_rows_and_partial_files_are_reported(tmp_path, capsys):
    writer = Writer(tmp_path / "a.csv")
    first, *others = rows(TIMES)
    writer.add([first, *others[1:], replace(others[-1], round=9)])
    assert main(["check", str(writer.partial)]) == 1
    output = capsys.readouterr().out
    assert re.search("nielsen loop, column round: .* 1 to 4;", output)
    assert re.search("nielsen matrix, column round: .* 1 to 6;", output)
    assert f"{writer.partial}: partial file" in output


def test_an_unreadable_file_is_bad_input(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("1,2\n")
    assert main(["check", str(tmp_path / "a.csv")]) == 2
