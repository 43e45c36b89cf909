"""`python -m bench contribute` called again: finished cases are kept, and only the others are measured."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import asdict, replace

import psutil
import pytest

from bench import records
from bench.analysis.validate import check
from bench.contribute.campaign import Request
from bench.contribute.stages import stages
from bench.machine.affinity import available
from bench.machine.identity import describe
from bench.options import parse
from bench.records import Writer
from bench.system import git
from bench.system.signals import Stopped
from tests.support.commands import ROOT
from tests.support.contribute import COMMIT, cases, done, run
from tests.support.refusals import refused
from tests.support.rows import rows
from tests.support.runs import WRONG


def test_a_second_call_measures_nothing_again(machine, tmp_path):
    done(tmp_path, plan=stages()[:3])
    before = (tmp_path / "box" / "main.csv").read_bytes()
    machine.cases.clear()
    code, output = done(tmp_path, plan=stages()[:3])
    assert (code, machine.cases) == (0, [])
    assert "main: already measured, 8 cases in main.csv" in output
    assert (tmp_path / "box" / "main.csv").read_bytes() == before


def test_a_newly_installed_trainer_is_added(machine, tmp_path):
    del machine.devices["compiled"]
    done(tmp_path, plan=stages()[:2])
    machine.devices["compiled"] = "cpu"
    machine.cases.clear()
    done(tmp_path, plan=stages()[:2])
    assert machine.cases == ["nielsen compiled", "wide compiled", "large compiled"]


@pytest.mark.parametrize("at", ["wide matrix", "train nielsen compiled", "h30-b100 compiled"])
def test_after_an_interrupt_only_the_unfinished_cases_are_measured(machine, tmp_path, at):
    machine.what[at] = Stopped(signal.SIGINT)
    plan = [stage for stage in stages() if stage.name in ("main", "large", "book") or (stage.name == "grid" and at.startswith("h"))]
    with pytest.raises(Stopped):
        done(tmp_path, plan=plan)
    assert "# box" in (tmp_path / "box" / "summary.md").read_text(encoding="utf-8")
    first = machine.cases.copy()
    machine.what.clear()
    machine.cases.clear()
    assert done(tmp_path, plan=plan)[0] == 0
    again = {at} if at.startswith("train") else set()  # an unfinished training is measured again
    assert set(first) & set(machine.cases) == again
    assert len({*first, *machine.cases}) == 8 + 3 + 3 + 45 * at.startswith("h")
    assert set(cases(tmp_path / "box" / "book.csv").values()) == {30}
    assert all(check(path) == [] for path in (tmp_path / "box").glob("*.csv"))


def test_rows_of_a_killed_call_are_collected(machine, tmp_path):
    working = tmp_path / "box" / "unfinished" / "main"
    here = asdict(describe("box")) | {"threads": available(), "commit": COMMIT}
    writer = Writer(working / "a-timing-box.csv")
    writer.add(rows({("nielsen", "loop"): 1.0}, **here))
    writer.add(rows({("nielsen", "matrix"): 0.1}, **here))
    writer.partial.write_bytes(writer.partial.read_bytes()[:-40])  # killed while it wrote the last row
    (tmp_path / "box" / "unfinished" / "process").write_text("1 0.0\n")
    assert done(tmp_path, 2.0)[0] == 0
    assert machine.cases[0] == "nielsen matrix"
    assert cases(tmp_path / "box" / "main.csv")["nielsen", "loop"] == 5
    assert not (tmp_path / "box" / "unfinished").exists()


def test_rows_that_a_killed_call_had_collected_are_not_duplicated(machine, tmp_path):
    done(tmp_path, 1.5)
    path = tmp_path / "box" / "main.csv"
    before = path.read_bytes()
    left = tmp_path / "box" / "unfinished" / "main" / "a-timing-box.csv"
    left.parent.mkdir(parents=True)
    left.write_bytes(before)
    done(tmp_path, 0.2)
    assert path.read_bytes() == before
    assert not left.exists()


def test_a_directory_that_another_process_measures_into_is_refused(machine, tmp_path):
    working = tmp_path / "box" / "unfinished"
    working.mkdir(parents=True)
    parent = psutil.Process(os.getppid())
    (working / "process").write_text(f"{parent.pid} {parent.create_time()}\n")
    with refused(working.parent, f"process {parent.pid} "):
        done(tmp_path)
    assert machine.cases == []


def test_measurements_of_another_commit_are_not_changed(machine, tmp_path):
    done(tmp_path, 2.0)
    before = (tmp_path / "box" / "main.csv").read_bytes()
    machine.columns = {"commit": "def456def456"}
    code, output = done(tmp_path, 2.0, commit="def456def456")
    assert code == 0
    assert re.search(r"box-run2 .*box .* differ in commit", output)
    assert (tmp_path / "box" / "main.csv").read_bytes() == before
    assert set(records.read([tmp_path / "box-run2" / "main.csv"])["commit"]) == {"def456def456"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot interrupt one process by a signal")
def test_a_real_contribution_resumes_after_an_interrupt(tmp_path):
    job = ["--examples", "100", "--rounds", "3", "--threads", "1", "--trainers", "loop,matrix"]
    quick = [*job, "--machine", "box", "--results", str(tmp_path), "--no-charts"]
    command = [sys.executable, "-m", "bench", "contribute", "--minutes", "9", "--allow-dirty", *quick]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("  nielsen loop"):
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
        error = process.stderr.read()
    assert process.returncode == 130
    assert "epochbench: interrupted" in error
    assert "same command" in error
    first = records.read([tmp_path / "box" / "main.csv"])
    assert ("nielsen", "loop") in set(zip(first["workload"], first["trainer"], strict=True))
    assert not (tmp_path / "box" / "unfinished").exists()

    commit, dirty = git.state(ROOT)
    same = {"bench_examples": "100", "bench_rounds": "3", "bench_threads": "1", "bench_machine": "box"}
    words = {"bench_trainers": f"loop,{WRONG}:Raises,matrix", **same}
    options = parse(words, results=tmp_path, workloads=["nielsen"])
    main_stage, book, *_ = stages(100)
    plan = [replace(main_stage, workloads=main_stage.workloads[:1]), replace(book, epochs=2, trainers=lambda _: ["matrix"])]
    code, lines = run(Request(options, 9.0, "", "", commit, dirty, True), plan)
    assert code == 1
    assert f"  nielsen {WRONG}:Raises  FAILED: ZeroDivisionError: on purpose" in lines
    both = records.read([tmp_path / "box" / "main.csv"])
    assert {("nielsen", "loop"): 3, ("nielsen", "matrix"): 3}.items() <= cases(tmp_path / "box" / "main.csv").items()
    assert both.head(len(first)).equals(first)
    assert cases(tmp_path / "box" / "book.csv") == {("nielsen", "matrix"): 2}
    assert {"main-speedup.png", "book-learning-nielsen.svg"} <= {path.name for path in (tmp_path / "box").iterdir()}
