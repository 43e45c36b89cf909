"""Pairs of fresh processes, the interval that may be looked at again and again, and contenders that misbehave."""

import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench.__main__ import main
from bench.gate.rule import judge
from bench.paired import duel
from bench.paired.contender import Contender
from bench.paired.duel import Pair
from bench.paired.versus import Answer
from bench.stats.intervals import watched
from bench.system import process_tree
from bench.verify.epoch_job import Job
from bench.workload import named
from tests.doors import ROOT, command
from tests.support.wrong_trainers import SLEEP


def pairs(ratios, *, seconds=0.5):
    """Pairs whose a takes that many times as long as b."""
    return [Pair(a=(0.02 * ratio,) * 4, b=(0.02,) * 4, order="abba", seconds=seconds) for ratio in ratios]


def noisy(ratio, spread, seed=0):
    """Endless pairs of that ratio, apart from one another by that share."""
    rng = np.random.default_rng(seed)
    while True:
        yield from pairs([ratio * math.exp(rng.normal(0, spread))])


# --- the interval -------------------------------------------------------------------------------------------------------------------


def test_the_interval_is_the_signed_rank_tests():
    # n = 8, 2.5 % in both tails: sums of ranks 0, 1 and 2 are left out (3 of 256 a side), so the third mean from either end.
    x = np.array([0.3, 1.0, 2.2, 3.9, 4.1, 6.0, 8.5, 9.7])
    means = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(x, 2))
    assert watched(x, look=1) == (np.median(means), means[2], means[-3])


def test_too_few_values_have_no_interval():
    assert watched([1.0, 1.1], look=1) == (1.05, -math.inf, math.inf)


@pytest.mark.parametrize("heavy_tails", [False, True])
def test_looking_often_does_not_make_it_wrong_more_often(heavy_tails):
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(400):
        x = rng.standard_t(2, 60) if heavy_tails else rng.standard_normal(60)
        seen = [watched(x[:n], look) for look, n in enumerate((8, 12, 18, 27, 41, 60), start=1)]
        wrong += any(not interval.low <= 0 <= interval.high for interval in seen)
    assert wrong / 400 <= 0.07  # 5 % and two standard errors of 400 trials


def test_a_few_wild_pairs_do_not_move_it():
    calm = [math.exp(x) for x in np.random.default_rng(0).normal(0, 0.01, 20)]
    (*_, (_, ratio)) = duel.looks(pairs([*calm, 3.0, 0.2, 5.0]), seconds=100)
    assert 0.98 < ratio.low < ratio.high < 1.02


# --- verdicts -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "spread", "word"),
    [
        (1.0, 0.008, "not slower"),
        (1.02, 0.008, "slower"),
        (1.05, 0.03, "slower"),
        (0.9, 0.008, "faster"),
        (1.01, 0.008, "undecided"),  # on the margin itself
        (1.03, 0.25, "undecided"),  # too noisy
    ],
)
def test_verdicts(ratio, spread, word):
    found, interval, stages = judge(noisy(ratio, spread), margin=0.01, seconds=90)
    assert found == word
    assert interval.low <= interval.value <= interval.high
    assert sum(pair.seconds for stage in stages.values() for pair in stage) <= 90
    assert ("afresh" in stages) == (word == "slower")


def test_unchanged_code_is_not_called_slower():
    words = [judge(noisy(1.0, 0.02, seed), margin=0.01, seconds=90)[0] for seed in range(200)]
    assert words.count("slower") == 0


def test_a_slowdown_that_does_not_repeat_is_none():
    spread = itertools.cycle([0.997, 1.003])
    bad_luck = pairs([1.05 * next(spread) for _ in range(8)])
    word, ratio, stages = judge(itertools.chain(bad_luck, noisy(1.0, 0.005)), margin=0.01, seconds=90)
    assert word == "not slower"
    assert ratio.high < 1.01, "the ratio told is that of the fresh pairs"
    assert len(stages["first"]) == 8


@pytest.mark.parametrize(("seconds", "pairs_afresh"), [(4.1, 1), (6.0, 4)])
def test_a_slowdown_that_there_is_no_time_to_repeat_is_undecided_and_told(seconds, pairs_afresh):
    spread = itertools.cycle([0.997, 1.003])
    stages = {}
    word, ratio, _ = judge((pair for [pair] in (pairs([1.05 * next(spread)]) for _ in itertools.count())),
                           margin=0.01, seconds=seconds, stages=stages)  # fmt: skip
    assert word == "undecided"
    assert 1.03 < ratio.low < ratio.high < 1.07, "the first interval is kept"
    assert [len(stages[stage]) for stage in ("first", "afresh")] == [8, pairs_afresh]


def test_seven_pairs_have_an_interval():
    assert not duel.look(pairs([1.0] * 6), 1).known
    assert duel.look(pairs([1.0] * 7), 1).known


# --- real processes -----------------------------------------------------------------------------------------------------------------

FAST = ("--examples", "500", "--threads", "1", "--seconds", "3")

WRONG = "tests.support.wrong_trainers"


@pytest.fixture
def room(tmp_path):
    """An environment whose temporary files go to a directory of their own. Orphans of what is started become children of this process."""
    process_tree.adopt()
    (tmp_path / "tmp").mkdir()
    return os.environ | {"TMPDIR": str(tmp_path / "tmp"), "TEMP": str(tmp_path / "tmp")}


def left_in(room):
    """What a command left in the room: files, and processes that were started in it."""
    tmp = room["TMPDIR"]
    return [[path.name for path in Path(tmp).iterdir()], [line for line in started_in(room) if any(tmp in part for part in line)]]


def started_in(room):
    """The command lines of this process's living descendants, adopted ones too, whose environment is the room's."""
    lines = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it ended meanwhile, or is a zombie
            if process.environ().get("TMPDIR") == room["TMPDIR"]:
                lines.append(process.cmdline())
    return lines


@contextmanager
def pseudo_terminal():
    """What stands in for a terminal, and a function that returns what was shown on it, waiting until that has some text in it."""
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
def test_versus_tells_a_matrix_from_a_loop_and_what_differs(tmp_path):
    output = versus("matrix", "loop", "--seconds", "12", "--a-env", "SOME=thing", "-o", tmp_path)
    assert output.returncode == 0, output.stderr
    assert re.search(r"A takes 0\.\d+ times as long as B .* A is [\d.]+ times as fast", output.stdout)
    assert "differs: env: SOME=thing | as it is" in output.stdout
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".png", ".svg"]
    (csv,) = tmp_path.glob("*-versus-*.csv")
    header, *rows = csv.read_text().splitlines()
    assert header.startswith("run_id,machine,job,threads,a,b,stage,pair,round,first,a_seconds")
    assert len(rows) % duel.ROUNDS == 0


def test_an_interpreter_may_be_given_by_a_relative_path(tmp_path):
    (tmp_path / "python").symlink_to(sys.executable)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    output = command(
        "versus", "--seconds", "1", "--examples", "500", "matrix", "loop", "--a-python", "./python", cwd=tmp_path, env=environment
    )
    assert output.returncode == 3, output.stderr
    assert "(95 %: -): too few pairs to tell; give more --seconds" in output.stdout


def answer(*ratios, **others):
    """What versus answers after pairs of those ratios."""
    one, other = (
        Contender(name, name, Path(), "abc", pinned=False, env=env) for name, env in (("loop", {"SOME": "thing"}), ("matrix", {}))
    )
    facts = {"threads": 1, "numpy": "2"}
    match = duel.Duel(one, other, "a job", Path(), None, 1, 60.0, {"a": facts, "b": facts}, {"a": {"cat"}, "b": set()})
    found = list(pairs(ratios))
    return Answer(match, duel.look(found, 1), found, **others)


def test_versus_as_json():
    told = json.loads(answer(*(2 + 0.01 * i for i in range(8))).json())
    assert list(told) == ["ratio", "low", "high", "pairs", "rounds", "a", "b"]
    assert 2 <= told["low"] < told["ratio"] < told["high"] < 2.1
    assert (told["pairs"], told["rounds"]) == (8, 32)
    assert (told["a"]["env"], told["a"]["threads"]) == ({"SOME": "thing"}, 1)
    few = json.loads(answer(2.0, 2.1).json())
    assert few["ratio"] == pytest.approx(2.05, rel=0.01)
    assert few["low"] is few["high"] is None, "JSON knows no infinity"


def test_versus_as_text():
    text = answer(2.0, 2.1).text()
    assert "A takes 2.049 times as long as B (95 %: -): too few pairs to tell; give more --seconds" in text
    assert "differs: env: SOME=thing | as it is" in text
    assert "warning: loop left processes behind, which were ended: cat" in text
    assert text.count("warning") == 1


@pytest.mark.parametrize(
    ("contender", "says"),
    [
        ("Raises", "cannot be measured: ZeroDivisionError: on purpose"),
        ("ExitsWithAMessage", "ended with exit code 7: out of something"),
        pytest.param(
            "Killed", "was ended by SIGKILL", marks=pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no signals")
        ),
        ("Hangs", "hangs: no reply within 5 s"),
        ("Lazy", "returns before its work is done: "),
        ("TalksNonsense", "prints garbage where a reply belongs: 'Traceback of something"),
        ("Backwards", "does not compute what the float64 loop of "),
        ("WrongWhileTimed", "computes something else than matrix while it is timed: "),
        ("ChangesItsAnswerLater", "changes its answer while it is timed: its first and its last epoch end "),
        ("NotANumberWhileTimed", "returns weights that are not finite numbers after an epoch"),
        ("Missing", "has no attribute 'Missing'"),
    ],
)
def test_a_contender_that_misbehaves_is_named(room, contender, says):
    output = versus(f"{WRONG}:{contender}", "matrix", env=room)
    assert output.returncode == 1
    assert output.stdout == ""
    (line,) = output.stderr.splitlines()
    assert line.startswith(f"epochbench: {WRONG}:{contender} ")
    assert says in line
    assert left_in(room) == [[], []]


@pytest.mark.live
def test_what_a_contender_prints_is_no_answer(room):
    output = versus(f"{WRONG}:Chatty", "matrix", "--json", env=room)
    assert 0.3 < json.loads(output.stdout)["ratio"] < 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere orphans cannot be found")
@pytest.mark.parametrize("name", ["Parent", "Grandparent", "LateParent", "CrashingParent"])
def test_children_that_a_contender_leaves_are_ended_and_named(room, name):
    output = versus(f"{WRONG}:{name}", "matrix", "--seconds", "1", env=room)
    if name == "CrashingParent":
        assert "ended with exit code 3" in output.stderr
    else:
        assert output.returncode == 3, output.stderr  # too few pairs
        assert f"warning: {WRONG}:{name} left processes behind, which were ended: python" in output.stdout
    assert SLEEP not in started_in(room)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_stopped_duel_leaves_nothing_behind(room, name):
    arguments = [sys.executable, "-m", "bench", "versus", "matrix", f"{WRONG}:Hangs", "--seconds", "60"]
    with subprocess.Popen(arguments, cwd=ROOT, env=room, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not left_in(room)[1] and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.Signals[name])
        _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.Signals[name]
    assert told.startswith("epochbench: interrupted")
    deadline = time.monotonic() + 30
    while left_in(room)[1] and time.monotonic() < deadline:
        time.sleep(0.02)  # a worker that was being started at that moment ends by itself, at the end of its input
    assert left_in(room) == [[], []]


@pytest.mark.live
@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such signals")
def test_what_was_measured_before_ctrl_c_is_told_and_kept(tmp_path):
    arguments = [sys.executable, "-m", "bench", "versus", "matrix", "loop", *FAST, "--seconds", "100", "--json", "-o", str(tmp_path)]
    with pseudo_terminal() as (screen, read), subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=screen) as process:
        shown = read(until="pair")
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=60)
        shown += read()
    assert process.returncode == 130
    assert json.loads(told)["pairs"] >= 8
    assert shown.endswith("\r\x1b[Kepochbench: interrupted; what was measured before that is told, if there was anything\r\n")
    (csv,) = tmp_path.glob("*-versus-*.csv")
    assert len(csv.read_text().splitlines()) == 1 + json.loads(told)["rounds"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["matrx", "loop"], "unknown trainer 'matrx': did you mean matrix?"),
        (["matrix@nowhere", "loop"], "unknown revision nowhere: git fetch"),
        (["matrix@", "loop"], "matrix@: no revision after the @"),
        (["matrix", "loop", "--b-python", "no-such-python"], "no-such-python: no such interpreter"),
        (["matrix", "loop", "--workload", "nielsen,wide"], "versus takes one workload, not 2: nielsen, wide"),
        (["matrix", "loop", "--a-env", "NAME"], "NAME: give NAME=VALUE"),
        (["matrix", "loop", "--a-env", "OMP_NUM_THREADS=1"], "OMP_NUM_THREADS: threads are held for both alike; give --threads N"),
        (["matrix", "loop", "--seconds", "0"], "0: give seconds, more than 0"),
        (["matrix", "loop", "--examples", "0"], "--examples 0"),
    ],
)
def test_bad_usage_is_one_line(arguments, says, capsys):
    try:
        code = main(["versus", *arguments])
    except SystemExit as ended:  # by argparse
        code = ended.code
    assert code == 2
    errors = capsys.readouterr().err
    assert says in errors.splitlines()[-1]
    assert "Traceback" not in errors


@pytest.mark.parametrize(("seconds_an_example", "examples"), [(1e-5, 4000), (1e-9, 50_000), (1.0, 20)])
def test_a_duel_takes_as_many_examples_as_make_a_short_round(tmp_path, mnist, seconds_an_example, examples):
    job = tmp_path / "job.npz"
    found = duel._short_rounds(named("nielsen"), mnist, lambda: seconds_an_example * len(Job.read(job).order), job)
    assert found.examples == len(Job.read(job).order)
    assert found.examples == pytest.approx(examples, rel=0.4)  # what it accepts as near enough
    assert found.examples % found.batch_size == 0
