"""What `gate` says and returns if it judges nothing: wrong names, the same code, verdicts without a decision."""

import re

import pytest

from bench.__main__ import main
from bench.gate.verdict import Report, Verdict
from tests.support.commands import ROOT, installed
from tests.support.gate import QUICK, git, own_repository, run_gate
from tests.support.refusals import assert_about, printed

MINE = "from impls.matrix import Matrix\n\n\nclass Mine(Matrix):\n    pass\n"


@pytest.mark.parametrize(("name", "what"), [("mine:Min", "Min in mine"), ("mime:Mine", "module mime")])
def test_a_name_that_neither_side_has_is_rejected(tmp_path, name, what):
    own_repository(tmp_path, MINE)
    output = run_gate(tmp_path, "--trainers", name, *QUICK, PYTHONPATH=str(ROOT))
    assert output.returncode == 2
    assert_about(printed(output.stderr), f"--trainers {name}", what)


def test_a_repository_without_impls_must_name_its_trainers(tmp_path):
    own_repository(tmp_path, MINE)
    output = run_gate(tmp_path, PYTHONPATH=str(ROOT))
    assert output.returncode == 2
    assert_about(printed(output.stderr), "--trainers", "impls/", "--trainers my_module:MyTrainer")


def test_the_same_code_is_not_measured(tmp_path):
    mine = own_repository(tmp_path, MINE)
    output = run_gate(tmp_path, "--trainers", "mine:Mine", *QUICK, PYTHONPATH=str(ROOT))
    assert output.returncode == 0, output.stderr
    assert re.search(r"^mine:Mine +unchanged +- +- +- +0 ", output.stdout, re.MULTILINE)
    mine.write_text(MINE + "\n")
    git(tmp_path, "commit", "--quiet", "-a", "-m", "an empty line")
    git(tmp_path, "checkout", "--quiet", "-b", "change")
    (tmp_path / "new.py").touch()
    assert not re.search(
        "unchanged", run_gate(tmp_path, "--trainers", "mine:Mine", *QUICK[:2], "--seconds", "3", PYTHONPATH=str(ROOT)).stdout
    )


def test_the_reports_begin_with_the_trainers_without_a_decision():
    report = Report("base", "head", 0.01, [Verdict("loop", "not slower"), Verdict("matrix", "undecided")], None)
    assert report.text().startswith("NOT JUDGED: matrix (undecided)\n")
    assert report.markdown().startswith("**NOT JUDGED: matrix (undecided)**\n\n")
    assert not Report("base", "head", 0.01, [Verdict("loop", "not slower")], None).not_judged


def test_a_margin_in_percent_is_explained(capsys):
    with pytest.raises(SystemExit):
        main(["gate", "--margin", "5"])
    assert re.search("argument --margin: 5: .*0.05 or 5%", capsys.readouterr().err)


def test_a_repository_may_have_packages_called_bench_and_impls(tmp_path):
    """Its own modules are found beside this suite's, in the working tree and at the base."""
    for package in ("bench", "impls", "src"):
        (tmp_path / package).mkdir()
    for module in ("bench/__init__.py", "impls/__init__.py"):
        (tmp_path / module).write_text("raise ImportError('the suite has a package of this name')\n")
    for module in ("bench/size.py", "impls/sizes.py", "src/more.py"):
        (tmp_path / module).write_text("SIZE = 1\n")
    mine = own_repository(tmp_path, "import bench.size, impls.sizes, more\n" + MINE)
    git(tmp_path, "checkout", "--quiet", "-b", "change")
    mine.write_text(mine.read_text() + "    changed = True\n")
    job = ("--trainers", "mine:Mine", "--base", "main", *QUICK[:2], "--seconds", "5", *QUICK[4:])
    output = installed("gate", *job, cwd=tmp_path)
    assert output.returncode in (0, 1, 3), output.stderr
    assert re.search(r"^mine:Mine +(not slower|undecided|slower) ", output.stdout, re.MULTILINE), output.stdout
