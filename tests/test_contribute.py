"""`python -m bench contribute`: stages in order of value, within the time, and nothing that was finished is lost."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import records
from bench.__main__ import main
from bench.analysis.validate import PERSONAL, check
from bench.contribute import campaign as module
from bench.contribute import child
from bench.contribute.campaign import Asked, about, contribute
from bench.contribute.child import MARK, Ended
from bench.contribute.stages import Known, stages
from bench.machine.affinity import available
from bench.machine.identity import describe
from bench.options import parse
from bench.records import Writer
from bench.stats import intervals
from bench.system import git
from bench.system.signals import Stopped
from bench.text.numbers import duration_interval, times_interval
from tests.doors import ROOT
from tests.rows import rows

EPOCHS = {"loop": 1.0, "matrix": 0.1, "compiled": 0.05, "jax_cpu": 0.2, "gpu": 0.02}
COMMIT = "abc123abc123"


class Machine:
    """In place of processes: cases that end at once, on a clock that shows 5 s later.

    cases    those that were begun, in order
    what     of a case, by its title: "crashes", "skipped", "failed", or an exception to raise after it
    columns  of all rows
    """

    def __init__(self, trainers):
        self.able = dict.fromkeys(trainers, "cpu") | ({"gpu": "gpu"} if "gpu" in trainers else {})
        self.now, self.cases, self.commands, self.what, self.columns = 0.0, [], [], {}, {}

    def run(self, command, *, seconds, line=print):
        option = dict(pairwise(command))
        if "bench.contribute.probe" in command:
            line(MARK + json.dumps({"able": self.able, "absent": {"torch_cpu": "torch is not installed"}}))
            return Ended(0, False, ())
        self.commands.append(command)
        end = self.now + seconds
        here = asdict(describe("box")) | {"threads": available(), "commit": COMMIT, "run_id": f"r{len(self.commands)}"} | self.columns
        if "train" in command:
            case = option["--workload"], option["--trainers"]
            return self.train(
                case, Writer(Path(option["--results"]) / f"{len(self.commands)}-training-box.csv"), int(option["--epochs"]), here
            )
        selected = [re.search(r"test_epoch\[([a-z]+|h\d+-b\d+)-(\w+)\]", word) for word in command]
        writer = Writer(Path(option["--results"]) / f"{len(self.commands)}-timing-box.csv")
        for case in [found.groups() for found in selected if found]:
            if self.now + 5 > end:
                return Ended(-signal.SIGTERM, True, ())
            self.now += 5
            self.cases.append(" ".join(case))
            line(MARK + json.dumps({"begins": case}))
            what = self.what.get(" ".join(case), "measured")
            if what == "crashes":
                return Ended(-signal.SIGSEGV, False, ("Fatal Python error: in /home/ann/x.py",))
            if what == "measured" or isinstance(what, BaseException):
                count = int(option.get("--rounds", 8))
                times = [EPOCHS[case[1]] * (1 + (i * 7 % count) / 100) for i in range(count)]
                writer.add(rows({case: times}, **here))
            outcome = what if isinstance(what, str) else "measured"
            text = {"measured": "1 s an epoch", "skipped": "it does not fit", "failed": "VerificationError: it is wrong"}
            line(MARK + json.dumps({"ends": case, "outcome": outcome, "text": text.get(outcome, "")}))
            if isinstance(what, BaseException):
                raise what
        writer.close()
        return Ended(0, False, ())

    def train(self, case, writer, epochs, here):
        self.now += 5
        self.cases.append(" ".join(("train", *case)))
        what = self.what.get(self.cases[-1])
        done = epochs // 2 if isinstance(what, BaseException) else epochs
        writer.add(rows({case: [EPOCHS[case[1]]] * done}, kind="training", **here))
        if isinstance(what, BaseException):
            raise what
        writer.close()
        return Ended(0, False, ())


@pytest.fixture
def machine(monkeypatch, mnist):
    monkeypatch.setattr(module.Options, "splits", lambda _: mnist)
    found = Machine(["loop", "matrix", "compiled", "jax_cpu"])
    monkeypatch.setattr(child, "run", found.run)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: found.now))
    monkeypatch.setattr(module, "trial", lambda workload, _: {"nielsen": 1.0, "wide": 2.0, "large": 25.0}[workload.name])
    return found


def asked(directory, minutes=60.0, **columns):
    options = parse({"bench_machine": "box", "bench_no_charts": True}, results=directory, workloads=["nielsen"])
    command = "python -m bench contribute"
    return replace(Asked(options, minutes, command, command, COMMIT, False, directory, True), **columns)


def done(directory, minutes=60.0, *, plan=None, **columns):
    """The exit code and the lines of a contribution."""
    lines = []
    code = contribute(asked(directory, minutes, **columns), say=lines.append, progress=lambda _: None, plan=plan)
    return code, "\n".join(lines)


def cases(path):
    """The cases in a CSV, each with its number of rows."""
    return records.read([path]).groupby(["workload", "trainer"], sort=False).size().to_dict()


def test_stages_are_measured_in_order_of_value_and_leave_one_directory(machine, tmp_path):
    code, said = done(tmp_path)
    assert code == 0, said
    small = [f"{workload} {trainer}" for workload in ("nielsen", "wide") for trainer in machine.able]
    large = [f"large {trainer}" for trainer in machine.able if trainer != "loop"]
    book = [f"train nielsen {trainer}" for trainer in ("matrix", "compiled", "jax_cpu")]
    assert machine.cases[:14] == [*small, *large, *book]
    assert len(machine.cases[14:-1]) == 15 * 4
    assert machine.cases[-1] == "large loop"
    assert {path.name for path in tmp_path.iterdir()} == {"box"}
    assert {path.name for path in (tmp_path / "box").iterdir()} == {"main.csv", "large.csv", "book.csv", "grid.csv", "summary.md"}
    assert sum(check(path) != [] for path in (tmp_path / "box").glob("*.csv")) == 0
    assert f"git add {tmp_path / 'box'}" in said


def test_a_second_call_measures_nothing_again(machine, tmp_path):
    done(tmp_path, plan=stages()[:3])
    before = (tmp_path / "box" / "main.csv").read_bytes()
    machine.cases.clear()
    code, said = done(tmp_path, plan=stages()[:3])
    assert (code, machine.cases) == (0, [])
    assert "main: already measured, 8 cases in main.csv" in said
    assert (tmp_path / "box" / "main.csv").read_bytes() == before


def test_a_trainer_that_was_installed_since_is_added(machine, tmp_path):
    del machine.able["compiled"]
    done(tmp_path, plan=stages()[:2])
    machine.able["compiled"] = "cpu"
    machine.cases.clear()
    done(tmp_path, plan=stages()[:2])
    assert machine.cases == ["nielsen compiled", "wide compiled", "large compiled"]


@pytest.mark.parametrize("at", ["wide matrix", "train nielsen compiled", "h30-b100 loop"])
def test_finished_cases_survive_an_interruption_and_only_the_others_are_measured_then(machine, tmp_path, at):
    machine.what[at] = Stopped(signal.SIGINT)
    plan = stages()[: 4 if at.startswith("h") else 3]
    with pytest.raises(Stopped):
        done(tmp_path, plan=plan)
    assert "# box" in (tmp_path / "box" / "summary.md").read_text(encoding="utf-8")
    first = machine.cases.copy()
    machine.what.clear()
    machine.cases.clear()
    assert done(tmp_path, plan=plan)[0] == 0
    again = {at} if at.startswith("train") else set()  # half a training does not count
    assert set(first) & set(machine.cases) == again
    assert len({*first, *machine.cases}) == 8 + 3 + 3 + 60 * at.startswith("h")
    assert set(cases(tmp_path / "box" / "book.csv").values()) == {30}
    assert all(check(path) == [] for path in (tmp_path / "box").glob("*.csv"))


def test_rows_that_a_killed_call_left_are_taken_over(machine, tmp_path):
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


def test_rows_that_a_killed_call_had_taken_over_already_are_not_doubled(machine, tmp_path):
    done(tmp_path, 1.5)
    path = tmp_path / "box" / "main.csv"
    before = path.read_bytes()
    left = tmp_path / "box" / "unfinished" / "main" / "a-timing-box.csv"
    left.parent.mkdir(parents=True)
    left.write_bytes(before)
    done(tmp_path, 0.2)
    assert path.read_bytes() == before
    assert not left.exists()


def test_a_directory_that_a_living_process_measures_into_is_left_alone(machine, tmp_path):
    working = tmp_path / "box" / "unfinished"
    working.mkdir(parents=True)
    parent = module.affinity.psutil.Process(os.getppid())
    (working / "process").write_text(f"{parent.pid} {parent.create_time()}\n")
    with pytest.raises(module.InputError, match=f"process {parent.pid} measures into it"):
        done(tmp_path)
    assert machine.cases == []


def test_a_crash_costs_one_case(machine, tmp_path):
    machine.what["nielsen matrix"] = "crashes"
    code, said = done(tmp_path, 3.0)
    assert code == 1
    assert re.search("nielsen matrix +FAILED: its process ended with SIGSEGV", said)
    assert set(cases(tmp_path / "box" / "main.csv")) == {(w, t) for w in ("nielsen", "wide") for t in machine.able} - {
        ("nielsen", "matrix")
    }
    summary = (tmp_path / "box" / "summary.md").read_text(encoding="utf-8")
    assert "nielsen matrix" in summary
    assert not any(pattern.search(summary) for what, pattern in PERSONAL.items() if what == "a path" and "/home" in summary)
    assert "ann" not in summary


def test_skipped_and_failed_cases_are_in_the_summary_with_their_reasons(machine, tmp_path):
    machine.what |= {"wide matrix": "skipped", "wide compiled": "failed"}
    code, _ = done(tmp_path, 3.0)
    summary = (tmp_path / "box" / "summary.md").read_text(encoding="utf-8")
    assert code == 1
    assert "- main: wide matrix: skipped: it does not fit" in summary
    assert "- main: wide compiled: failed: VerificationError: it is wrong" in summary
    assert "- torch\\_cpu: torch is not installed" in summary


def test_too_little_time_leaves_out_the_later_stages_and_names_them(machine, tmp_path):
    code, said = done(tmp_path, 1.5)
    assert code == 0
    assert {case.split()[0] for case in machine.cases} == {"nielsen", "wide", "large", "train"}
    assert "large loop" not in machine.cases
    named = said[said.index("Left out:") :]
    assert "grid: 60 cases" in named
    assert "large-loop: 1 case" in named
    assert "To measure them too: python -m bench contribute" in named
    assert "grid: 60 cases: needs about" in (tmp_path / "box" / "summary.md").read_text(encoding="utf-8")


def test_a_grid_without_enough_time_has_fewer_rounds_and_spans_all_sizes(machine, tmp_path):
    done(tmp_path, 3.5)
    command = machine.commands[-1]
    assert command[command.index("--rounds") + 1] == str(intervals.FEWEST)
    measured = {tuple(map(int, re.findall(r"\d+", case.split()[0]))) for case in machine.cases if case.startswith("h")}
    assert {(30, 1), (30, 10_000), (1000, 1), (1000, 10_000)} <= measured
    assert len(measured) < 15


def test_time_that_is_left_in_the_end_is_used(machine, tmp_path, monkeypatch):
    # The first stage takes four times its estimate, so the second one seems too long; the third shows that the machine is quiet again.
    found = stages()
    plan = [found[0], replace(found[3], workloads=found[3].workloads[:5]), found[1]]
    estimates = {"main": 1.25, "grid": 5.0, "large": 5.0}
    monkeypatch.setattr(module.Stage, "seconds", lambda self, cases, known, rounds: [estimates[self.name]] * len(cases))
    _, said = done(tmp_path, 140 / 60, plan=plan)
    assert "grid, shortened to 4 of 20 cases" in said
    assert "grid again" in said
    assert said.index("large, 3 cases") < said.index("grid again")


def test_a_stage_that_is_slower_than_estimated_ends_with_the_time(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(module.Stage, "seconds", lambda self, cases, known, rounds: [0.1] * len(cases))
    code, said = done(tmp_path, 0.5)
    assert code == 0
    assert machine.cases == ["nielsen loop", "nielsen matrix", "nielsen compiled", "nielsen jax_cpu", "wide loop", "wide matrix"]
    assert "main: 2 cases: the time was up" in said
    assert len(cases(tmp_path / "box" / "main.csv")) == 6


def test_a_case_that_was_disturbed_is_marked_in_its_table(machine, tmp_path):
    machine.columns = {"load": 0.4}
    _, said = done(tmp_path, plan=[stages()[0], stages()[2]])
    summary = (tmp_path / "box" / "summary.md").read_text(encoding="utf-8").replace("\\", "")
    assert summary.count("| matrix (!) |") == 3, "nielsen, wide and the learning curve"
    assert "delete the file and run the command again" in said


def test_without_time_for_one_case_nothing_is_left_and_the_exit_code_says_so(machine, tmp_path):
    code, said = done(tmp_path, 0.2)
    assert code == 3
    assert "give --minutes 1" in said
    assert list(tmp_path.iterdir()) == []


def test_the_measurements_of_another_commit_stay_as_they_are(machine, tmp_path):
    done(tmp_path, 2.0)
    before = (tmp_path / "box" / "main.csv").read_bytes()
    machine.columns = {"commit": "def456def456"}
    code, said = done(tmp_path, 2.0, commit="def456def456")
    assert code == 0
    assert "box holds measurements that differ in commit" in said
    assert (tmp_path / "box" / "main.csv").read_bytes() == before
    assert set(records.read([tmp_path / "box-run2" / "main.csv"])["commit"]) == {"def456def456"}


def test_a_complaint_of_the_checks_is_the_answer_no(machine, tmp_path):
    machine.columns = {"max_error": 0.5}
    code, said = done(tmp_path, 1.0)
    assert code == 1
    assert "it did not compute the same as the loop" in said
    assert "git add" not in said


def test_only_a_gpu_is_given_the_huge_network(machine, tmp_path):
    assert "no trainer for it here" in done(tmp_path / "without", 2.0)[1]
    machine.able["gpu"] = "gpu"
    done(tmp_path / "with", plan=[*stages()[:2], stages()[4]])
    assert [case for case in machine.cases if case.startswith("huge")] == ["huge gpu"]
    assert cases(tmp_path / "with" / "box" / "huge.csv") == {("huge", "gpu"): 8}


def test_figures_of_the_summary_are_those_of_the_csv(machine, tmp_path):
    done(tmp_path)
    summary = (tmp_path / "box" / "summary.md").read_text(encoding="utf-8").replace("\\", "")
    for name in ("main", "large", "grid"):
        table = records.read([tmp_path / "box" / f"{name}.csv"])
        for (workload, trainer), epochs in table.groupby(["workload", "trainer"]):
            assert duration_interval(intervals.median(epochs["seconds"])) in summary
            if name == "main" and trainer != "loop":
                loop = table.loc[(table["workload"] == workload) & (table["trainer"] == "loop"), "seconds"]
                row = f"| {trainer} | {duration_interval(intervals.median(epochs['seconds']))} | "
                assert f"{row}{times_interval(intervals.ratio(loop, epochs['seconds']))} |" in summary
    assert "| matrix | 90.00% | 1 | 100 ms | - | 3.00 s |" in summary


def test_estimates_from_the_first_stages_fit_the_grid_of_the_reference_machine():
    table = records.read([ROOT / "results" / "intel-xeon-2-core" / f"{name}.csv" for name in ("main", "grid")])
    medians = table.groupby(["workload", "trainer"])["seconds"].median().to_dict()
    grid = stages()[3]
    workloads = {one.name: one for stage in stages() for one in stage.workloads}
    measured = Known(dict.fromkeys(["loop", "matrix", "compiled", "jax_cpu"], "cpu"), workloads, 50_000, medians)
    before = replace(measured, seconds={key: seconds for key, seconds in medians.items() if not key[0].startswith("h")})
    pairs = zip(grid.seconds(grid.cases(before), before, None), grid.seconds(grid.cases(before), measured, None), strict=True)
    for case, (estimate, right) in zip(grid.cases(before), pairs, strict=True):
        assert 0.5 * right < estimate < 2.5 * right, case.title


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3.2, "about 3 s"),
        (88.0, "about 90 s"),
        (120.0, "about 2 min"),
        (258.0, "about 4.3 min"),
        (1300.0, "about 22 min"),
        (9000.0, "about 2 h"),
    ],
)
def test_a_time_is_rounded_as_an_estimate(seconds, text):
    assert about(seconds) == text


@pytest.mark.parametrize(
    ("state", "words"),
    [((COMMIT, True), f"differs from commit {COMMIT}"), (("", False), "the commit cannot be read: git is not installed")],
)
def test_what_check_would_refuse_is_refused_before_anything_is_measured(monkeypatch, machine, capsys, tmp_path, state, words):
    def read(_):
        if not state[0]:
            raise module.InputError("git is not installed")
        return state

    monkeypatch.setattr(git, "state", read)
    arguments = ["contribute", "--results", str(tmp_path), "--machine", "box", "--minutes", "1"]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "--allow-dirty" in error
    assert error.count("\n") == 1
    assert machine.cases == []
    machine.columns = {"commit": state[0], "dirty": state[1]}
    assert main([*arguments, "--allow-dirty", "--no-charts"]) == 1, "check refuses it"
    assert machine.cases


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "soon"])
def test_minutes_are_a_time(capsys, minutes):
    with pytest.raises(SystemExit, match="2"):
        main(["contribute", f"--minutes={minutes}"])
    assert "give minutes, more than 0" in capsys.readouterr().err


FAULTY = """
from impls.matrix import Matrix

class Raises(Matrix):
    def _epoch(self, order):
        raise ArithmeticError("no gradient")
"""


# --- processes ----------------------------------------------------------------------------------------------------------------------


def test_lines_of_a_process_are_passed_on_and_its_end_is_known():
    lines = []
    ended = child.run(["-c", "import sys; print('one'); print('two', file=sys.stderr); sys.exit(7)"], seconds=60, line=lines.append)
    assert (ended.code, ended.stopped, sorted(lines)) == (7, False, ["one", "two"])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without its knowledge")
def test_a_process_is_told_to_end_when_its_time_is_up():
    program = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit('saved'))\ntime.sleep(60)"
    ended = child.run(["-c", program], seconds=1.0)
    assert ended.stopped
    assert ended.tail == ("saved",)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no signals to interrupt with")
def test_a_real_contribution_is_interrupted_and_goes_on(tmp_path, monkeypatch):
    quick = [
        "--examples",
        "100",
        "--rounds",
        "3",
        "--trainers",
        "loop,matrix",
        "--machine",
        "box",
        "--results",
        str(tmp_path),
        "--no-charts",
    ]
    command = [sys.executable, "-m", "bench", "contribute", "--minutes", "9", "--allow-dirty", *quick]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("  nielsen loop"):
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
        error = process.stderr.read()
    assert process.returncode == 130
    assert "call the same command again" in error
    first = records.read([tmp_path / "box" / "main.csv"])
    assert ("nielsen", "loop") in set(zip(first["workload"], first["trainer"], strict=True))
    assert not (tmp_path / "box" / "unfinished").exists()

    commit, dirty = git.state(ROOT)
    words = {"bench_examples": "100", "bench_rounds": "3", "bench_trainers": "loop,faulty:Raises,matrix", "bench_machine": "box"}
    (tmp_path / "faulty.py").write_text(FAULTY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    options = parse(words, results=tmp_path, workloads=["nielsen"])
    main_stage, book, *_ = stages(100)
    plan = [replace(main_stage, workloads=main_stage.workloads[:1]), replace(book, epochs=2, trainers=lambda _: ["matrix"])]
    lines = []
    code = contribute(Asked(options, 9.0, "", "", commit, dirty, tmp_path, True), say=lines.append, progress=lambda _: None, plan=plan)
    assert code == 1
    assert "  nielsen faulty:Raises  FAILED: ArithmeticError: no gradient" in lines
    both = records.read([tmp_path / "box" / "main.csv"])
    assert {("nielsen", "loop"): 3, ("nielsen", "matrix"): 3}.items() <= cases(tmp_path / "box" / "main.csv").items()
    assert both.head(len(first)).equals(first)
    assert cases(tmp_path / "box" / "book.csv") == {("nielsen", "matrix"): 2}
    assert {"main-speedup.png", "book-learning-nielsen.svg"} <= {path.name for path in (tmp_path / "box").iterdir()}
