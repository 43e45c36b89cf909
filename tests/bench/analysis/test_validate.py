"""`python -m bench check`: a sound file passes, and each way to be unsound is named."""

import getpass
from dataclasses import replace

import pytest

from bench.__main__ import main
from bench.analysis import validate as module
from bench.records import Writer
from tests.support.commands import ROOT
from tests.support.rows import rows, written

TIMES = {("nielsen", "loop"): 1.0, ("nielsen", "matrix"): 0.1}
PEAKS = {"peak_flops": 2e11, "peak_bytes": 2e10}  # an epoch of nielsen takes 24 ms at least


def test_a_sound_file_and_the_committed_ones_pass(tmp_path, capsys):
    assert main(["check", str(written(tmp_path / "a.csv", TIMES, **PEAKS))]) == 0
    assert capsys.readouterr().out.endswith("a.csv: whole, plausible and free of personal data\n")
    assert main(["check", str(ROOT / "results" / "amd-epyc-2-core")]) == 0


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"max_error": 0.5}, "nielsen loop: max_error 5.0e-01: it did not compute the same"),
        ({"accuracy": 1.5}, "an accuracy is not a fraction"),
        ({"layers": "wide"}, "layers 'wide' are no widths"),
        ({"flops": 10**12}, "1,000,000,000,000 operations an epoch, where its layers and examples need 4,794,000,000"),
        ({"peak_flops": 1e9}, "nielsen matrix: round 1 took 0.099 s; this machine needs 4.79 s at least"),
        ({"peak_bytes": 1e8}, "this machine needs 1.57 s at least"),
        ({"dirty": True}, "changed since its commit"),
        ({"commit": ""}, "no commit says"),
        ({"machine": "My Box"}, "'My Box' is no short name of letters, digits and hyphens, such as my-box"),
        ({"cpu": "Xeon of ann@example.org"}, "looks like a mail address"),
        ({"library": "/home/ann/numpy"}, "column library: '/home/ann/numpy' looks like a path"),
        ({"library": "C:\\Users\\ann"}, "looks like a path"),
        ({"os": "Linux 10.0.0.7"}, "looks like a network address"),
        ({"cpu": "node7.internal"}, "looks like a host name"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_unsound_is_named(tmp_path, capsys, columns, complaint):
    path = written(tmp_path / "a.csv", TIMES, **columns)
    assert main(["check", str(path)]) == 1
    output = capsys.readouterr().out
    assert complaint in output
    assert all(line.startswith(f"{path}: ") for line in output.splitlines())


def test_names_of_this_machine_are_found(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module.platform, "node", lambda: "vaio-7")
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    assert main(["check", str(written(tmp_path / "a.csv", TIMES, machine="ann-s-vaio-7", cpu="Planned CPU"))]) == 1
    output = capsys.readouterr().out
    assert "holds this machine's host name" in output
    assert "holds your user name" in output
    assert "Planned" not in output


def test_a_host_called_after_its_system_and_a_user_without_a_name_are_no_complaint(tmp_path, capsys, monkeypatch):
    def unknown():
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr(module.platform, "node", lambda: "linux")
    monkeypatch.setattr(getpass, "getuser", unknown)
    assert main(["check", str(written(tmp_path / "a.csv", TIMES))]) == 0, capsys.readouterr().out


def test_missing_rows_and_stopped_runs_are_found(tmp_path, capsys):
    writer = Writer(tmp_path / "a.csv")
    first, *others = rows(TIMES)
    writer.add([first, *others[1:], replace(others[-1], round=9)])
    assert main(["check", str(writer.partial)]) == 1
    output = capsys.readouterr().out
    assert "nielsen loop: its 4 rounds are not 1 to 4" in output
    assert "nielsen matrix: its 6 rounds are not 1 to 6" in output
    assert "stopped before its end" in output


def test_a_file_that_cannot_be_read_is_bad_input(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("1,2\n")
    assert main(["check", str(tmp_path / "a.csv")]) == 2
