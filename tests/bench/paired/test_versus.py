"""`versus` with real processes: its results, faulty contenders, and cleanup of files and processes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from csv import DictReader
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from bench.__main__ import main
from bench.machine.load import Shares
from bench.paired import duel
from bench.paired.contender import Contender
from bench.paired.pair import Pair
from bench.paired.sequential import interval_at
from bench.paired.versus import Answer
from bench.system import process_tree
from tests.support.commands import ROOT, command
from tests.support.few_digits import FEW_DIGITS
from tests.support.pairs import pairs
from tests.support.wrong_trainers import SLEEP

FAST = ("--examples", "500", "--threads", "1", "--seconds", "3", "--data", str(FEW_DIGITS))

WRONG = "tests.support.wrong_trainers"


@pytest.fixture
def environment(tmp_path):
    """Return an environment with its own temporary directory, and make orphans of its commands children of this process."""
    process_tree.adopt()
    (tmp_path / "tmp").mkdir()
    return os.environ | {"TMPDIR": str(tmp_path / "tmp"), "TEMP": str(tmp_path / "tmp")}


def left_in(environment):
    """Return the files and the processes that a command in that environment left."""
    tmp = environment["TMPDIR"]
    return [[path.name for path in Path(tmp).iterdir()], [line for line in started_in(environment) if any(tmp in part for part in line)]]


def started_in(environment):
    """Return the command lines of this process's living descendants, including adopted ones, with that environment."""
    lines = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has ended, or is a zombie
            if process.environ().get("TMPDIR") == environment["TMPDIR"]:
                lines.append(process.cmdline())
    return lines


@contextmanager
def pseudo_terminal():
    """Yield a pseudo-terminal, and a function that reads its output until it contains a text."""
    import pty

    ours, theirs = pty.openpty()

    def read(until=""):
        shown = ""
        while until not in shown or not shown:
            shown += os.read(ours, 65536).decode()
        return shown

    try:
        yield theirs, read
    finally:
        os.close(ours)
        os.close(theirs)


def versus(*arguments, **others):
    return command("versus", *FAST, *arguments, **others)


@pytest.mark.live
def test_versus_of_matrix_and_loop(tmp_path):
    output = versus("matrix", "loop", "--seconds", "60", "--a-env", "SOME=thing", "-o", tmp_path)
    assert output.returncode == 0, output.stderr
    assert re.search(r"A takes 0\.\d+ times as long as B .* A is [\d.]+ times as fast", output.stdout)
    assert "differs: env: SOME=thing | -" in output.stdout
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".png", ".svg"]
    (csv,) = tmp_path.glob("*-versus-*.csv")
    assert csv.read_text().startswith("run_id,machine,job,threads,a,b,stage,pair,round,first,a_seconds")
    rounds = Counter(row["pair"] for row in DictReader(csv.read_text().splitlines()))
    assert set(rounds.values()) <= set(duel.ROUNDS[::2])


def test_the_path_of_an_interpreter_may_be_relative(tmp_path):
    (tmp_path / "python").symlink_to(sys.executable)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    options = ("--seconds", "1", "--examples", "500", "--data", FEW_DIGITS, "--a-python", "./python")
    output = command("versus", *options, "matrix", "loop", cwd=tmp_path, env=environment)
    assert output.returncode == 3, output.stderr
    assert re.search(r"\(95 %: -\): too few pairs .*--seconds", output.stdout)


def answer(*ratios, **others):
    """Return the answer of versus for pairs with those ratios."""
    one, other = (
        Contender(name, name, Path(), "abc", pinned=False, modules=Path(), env=env)
        for name, env in (("loop", {"SOME": "thing"}), ("matrix", {}))
    )
    facts = {"threads": 1, "numpy": "2"}
    match = duel.Duel(
        one, other, "a job", "9 of 10 examples", Path(), None, 1, 60.0, 2.0, None, {"a": facts, "b": facts}, {"a": {"cat"}, "b": set()}
    )
    measured = list(pairs(ratios))
    return Answer(match, interval_at(measured, 1), measured, **others)


def test_versus_as_json():
    answer_json = json.loads(answer(*(2 + 0.01 * (3 * i % 8) for i in range(8))).json())
    assert list(answer_json) == ["ratio", "low", "high", "pairs", "rounds", "a", "b"]
    assert 2 <= answer_json["low"] < answer_json["ratio"] < answer_json["high"] < 2.1
    assert (answer_json["pairs"], answer_json["rounds"]) == (8, 32)
    assert (answer_json["a"]["env"], answer_json["a"]["threads"]) == ({"SOME": "thing"}, 1)
    few = json.loads(answer(2.0, 2.1).json())
    assert few["ratio"] == pytest.approx(2.05, rel=0.01)
    assert few["low"] is few["high"] is None, "JSON has no infinity"


def test_versus_as_text():
    text = answer(2.0, 2.1).text()
    assert re.search(r"A takes 2\.049 times as long as B \(95 %: -\): too few pairs .*--seconds", text)
    assert "differs: env: SOME=thing | -" in text
    assert re.search("^warning: loop: .*killed cat$", text, re.MULTILINE)
    assert text.count("warning") == 1
    assert "9 of 10 examples" in text
    assert "medians" not in text


def test_medians_that_contradict_the_ratio_are_explained():
    ratios = [0.9 + 0.001 * (7 * i % 10) for i in range(10)]
    measured = [Pair((ratio, ratio), (1.0, 1.0), "ab", 1.0) for ratio in ratios[:9]]
    measured.append(Pair((50.0,) * 30, (40.0,) * 30, "ab" * 15, 1.0))  # a slow phase of the machine
    text = replace(answer(1.0), ratio=interval_at(measured, 1), pairs=measured).text()
    assert re.search(r"A takes 0\.9\d+ times", text)
    assert "medians have the ratio 1.250" in text


def test_a_busy_machine_is_a_warning():
    text = answer(2.0, 2.1, others=Shares(load=0.4, steal=0.01)).text()
    assert "warning: other processes took CPU time: 40%" in text
    assert "other virtual machines" not in text


@pytest.mark.parametrize(
    ("contender", "says"),
    [
        ("Raises", "raised ZeroDivisionError: on purpose"),
        ("ExitsWithAMessage", "exit code 7: out of something"),
        pytest.param("Killed", "SIGKILL", marks=pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")),
        ("Hangs", "timeout"),
        ("Lazy", "pending"),
        ("EarlyFromTheSecondEpochOn", "pending"),
        ("DoesNothingButKnowsTheAnswer", "returns too soon"),
        ("TF32Products", "float64 loop"),
        ("TalksNonsense", ": 'Traceback of something"),
        ("Backwards", "float64 loop"),
        ("WrongWhileTimed", "that of matrix "),
        ("ChangesItsAnswerLater", "not reproducible"),
        ("NotANumberWhileTimed", "finite"),
        ("Missing", "has no attribute 'Missing'"),
    ],
)
def test_the_error_names_the_faulty_contender(environment, contender, says):
    output = versus(f"{WRONG}:{contender}", "matrix", env=environment)
    assert output.returncode == 1
    assert output.stdout == ""
    (line,) = output.stderr.splitlines()
    assert line.startswith(f"epochbench: {WRONG}:{contender}: ")
    assert says in line
    assert left_in(environment) == [[], []]


@pytest.mark.live
def test_output_of_a_contender_is_not_a_reply(environment):
    output = versus(f"{WRONG}:Chatty", "matrix", "--json", env=environment)
    assert 0.3 < json.loads(output.stdout)["ratio"] < 3


@pytest.mark.skipif(sys.platform != "linux", reason="orphans can be found only on Linux")
@pytest.mark.parametrize("name", ["Parent", "Grandparent", "LateParent", "CrashingParent"])
def test_child_processes_of_a_contender_are_killed_and_named(environment, name):
    output = versus(f"{WRONG}:{name}", "matrix", "--seconds", "1", env=environment)
    if name == "CrashingParent":
        assert "exit code 3" in output.stderr
    else:
        assert output.returncode == 3, output.stderr  # too few pairs
        assert re.search(f"^warning: {WRONG}:{name}: .*killed python", output.stdout, re.MULTILINE)
    assert SLEEP not in started_in(environment)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_duel_leaves_no_files_or_processes(environment, name):
    arguments = [sys.executable, "-m", "bench", "versus", "matrix", f"{WRONG}:Hangs", "--seconds", "60"]
    with subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not left_in(environment)[1] and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.Signals[name])
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.Signals[name]
    assert errors.startswith("epochbench: interrupted")
    deadline = time.monotonic() + 30
    while left_in(environment)[1] and time.monotonic() < deadline:
        time.sleep(0.02)  # a worker that was just starting ends by itself, at the end of its input
    assert left_in(environment) == [[], []]


@pytest.mark.live
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_ctrl_c_prints_and_saves_the_result_so_far(tmp_path):
    arguments = [sys.executable, "-m", "bench", "versus", "matrix", "loop", *FAST, "--seconds", "100", "--json", "-o", str(tmp_path)]
    with pseudo_terminal() as (screen, read), subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=screen) as process:
        shown = read(until="pair")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        shown += read()
    assert process.returncode == 130
    assert json.loads(output)["pairs"] >= 8
    assert re.search(r"\r\x1b\[Kepochbench: interrupted[^\r\n]*\r\n\Z", shown)
    (csv,) = tmp_path.glob("*-versus-*.csv")
    assert len(csv.read_text().splitlines()) == 1 + json.loads(output)["rounds"]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["matrx", "loop"], ["epochbench: unknown trainer 'matrx': ", " matrix"]),
        (["matrix@nowhere", "loop"], ["epochbench: nowhere: ", "git fetch"]),
        (["matrix@", "loop"], ["epochbench: matrix@: ", "trainer@revision"]),
        (["matrix", "loop", "--b-python", "no-such-python"], ["epochbench: no-such-python: "]),
        (["matrix", "loop", "--workload", "nielsen,wide"], ["epochbench: --workload nielsen,wide: ", "not 2"]),
        (["matrix", "loop", "--a-env", "NAME"], ["argument --a-env: NAME: ", "NAME=VALUE"]),
        (["matrix", "loop", "--a-env", "OMP_NUM_THREADS=1"], ["argument --a-env: OMP_NUM_THREADS: ", "--threads N"]),
        (["matrix", "loop", "--seconds", "0"], ["argument --seconds: 0: ", "above 0"]),
        (["matrix", "loop", "--examples", "0"], ["epochbench: --examples 0: "]),
    ],
)
def test_bad_usage_is_one_line(arguments, parts, capsys):
    try:
        code = main(["versus", *arguments])
    except SystemExit as ended:  # by argparse
        code = ended.code
    assert code == 2
    errors = capsys.readouterr().err
    last = errors.splitlines()[-1]
    assert all(part in last for part in parts), last
    assert "Traceback" not in errors
