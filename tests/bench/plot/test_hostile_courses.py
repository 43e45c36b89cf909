"""Charts stay readable with long names, many trainers, machines and commits, and missing and disturbed cases."""

from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from bench import records
from bench.analysis.history import history as read_history
from bench.paired.pair import Pair
from bench.paired.revisions import Commit
from bench.paired.sequential import interval_at
from bench.plot import along_commits, charts, history, pair_ratios, style
from bench.plot.drawings import ladder
from bench.stats.intervals import Interval
from impls import TRAINERS
from tests.support.commands import ROOT
from tests.support.drawn_texts import drawn_texts, unreadable
from tests.support.pairs import noisy
from tests.support.rows import written

LONG = "a-name-of-sixty-characters-that-no-chart-should-have-to-draw"
LADDER = list(TRAINERS)
TRAINER_SETS = {
    "one": ["matrix"],
    "fifteen": LADDER[:15],
    "long": ["loop", f"mine:{LONG[5:]}", f"theirs:{'W' * 53}"],
}
BUSY = 0.4  # of the CPU time


@pytest.fixture(autouse=True)
def in_style():
    """Draw as the commands do."""
    with style.in_use():
        yield


def texts(figure):
    """Return the drawn texts."""
    return [text for text, _ in drawn_texts(figure)]


def hollow(figure):
    """Return the number of hollow marks on the figure's axes, without those of its legends."""
    return sum(len(line.get_xdata()) for axis in figure.axes for line in axis.lines if line.get_markerfacecolor() == "white")


def figures(directory, name):
    """Return the figures with this name of the CSVs in a directory."""
    return [figure for of, figure in charts.figures(records.read(sorted(directory.glob("*.csv")))) if of == name]


def cases(trainers, workloads=("nielsen", "wide")):
    """Return times at which some trainers are equally fast."""
    return {(workload, trainer): 0.1 * (1 + number // 4) for workload in workloads for number, trainer in enumerate(trainers)}


@pytest.fixture(params=TRAINER_SETS)
def trainers(request):
    """Return the names of one trainer, of fifteen, or names of 60 characters."""
    return TRAINER_SETS[request.param]


@pytest.mark.parametrize("ranks", [(1, 2), (1, 2, 3, 4, 31, 32, 63, 64)], ids=["two sizes", "eight sizes"])
def test_scaling(tmp_path, trainers, ranks):
    for size in ranks:
        times = dict.fromkeys(cases(trainers, ["nielsen"]), 0.1 * size ** (-0.8))
        if size == 2:
            del times["nielsen", trainers[-1]]
            times |= {("nielsen", trainers[0]): 0.1}
        written(tmp_path / f"{size}.csv", times, ranks=size, cpu=LONG, load=BUSY if size == 2 else 0.0, workload=LONG)
    (figure,) = figures(tmp_path, "scaling")
    assert list(unreadable(figure)) == []
    assert hollow(figure) == 2 * max(1, len(trainers) - 1), "each trainer on 2 ranks, in both panels"
    assert "efficiency: speedup / ranks" in texts(figure)
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels[:2] == ["1", "2"]
    assert labels[-1] in ("2", "64", "")


@pytest.mark.parametrize("second", [0, 30])
def test_pairs_of_both_stages_and_the_margin(second):
    pairs = noisy(1.06, 0.01)
    stages = {"first": list(islice(pairs, 8)), "afresh": list(islice(pairs, second))}
    contenders = SimpleNamespace(a=SimpleNamespace(name=LONG), b=SimpleNamespace(name=f"{LONG}@012345678901"), title=LONG * 2, threads=64)
    judged: list[Pair] = stages["afresh"] or stages["first"]
    figure = pair_ratios.draw(contenders, {name: taken for name, taken in stages.items() if taken}, interval_at(judged, 1), 0.05)
    assert list(unreadable(figure)) == []
    (axis,) = figure.axes
    drawn = {line.get_marker(): line for line in axis.lines if line.get_marker() != "None"}
    assert [len(line.get_xdata()) for line in drawn.values()] == list(filter(None, (8, second)))
    assert sorted(x for line in drawn.values() for x in line.get_xdata()) == list(range(1, 9 + second))
    (margin,) = [line for line in axis.lines if "margin" in str(line.get_label())]
    assert (margin.get_ydata()[0], margin.get_linestyle()) == (1.05, "--")
    assert axis.get_ylim()[0] < 1.05 < axis.get_ylim()[1]


def test_versus_has_no_margin():
    pairs = list(islice(noisy(1.06, 0.01), 8))
    contenders = SimpleNamespace(a=SimpleNamespace(name="a"), b=SimpleNamespace(name="b"), title="", threads=1)
    assert not any("margin" in text for text in texts(pair_ratios.draw(contenders, {"": pairs}, interval_at(pairs, 1))))


def course(directory, trainers, commits, machines=("box",)):
    """Write a run of each commit on each machine. The second half is slower; the second commit is disturbed, and lacks a trainer."""
    for number in range(commits):
        slower = 1.5 if number >= commits / 2 else 1.0
        times = {case: seconds * slower for case, seconds in cases(trainers, ["nielsen"]).items()}
        if number == 1 and len(times) > 1:
            del times["nielsen", trainers[-1]]
        changed = {"python": f"CPython {LONG}", "blas": LONG} if number == commits - 1 else {}
        for machine in machines:
            row = {"commit": f"{number:012x}", "started_at": f"2026-01-{1 + number // 2:02}T{number % 2:02}:00:00+00:00"}
            run = f"{machine}-{number:02}"
            load = BUSY if number == 1 else 0.0
            written(directory / f"{run}.csv", times, run_id=run, machine=machine, cpu_id=machine, load=load, **row, **changed)
    return read_history([directory])


@pytest.mark.parametrize(
    ("names", "commits", "machines"),
    [("one", 2, 1), ("one", 40, 1), ("fifteen", 5, 1), ("long", 40, 1), ("one", 2, 10)],
    ids=lambda value: str(value),
)
def test_history(tmp_path, names, commits, machines):
    machine_names = [f"{LONG[:-2]}{number:02}" for number in range(machines)]
    answer = course(tmp_path, TRAINER_SETS[names], commits, machine_names)
    figure = history.draw(answer, {f"{number:012x}": f"{LONG} {LONG}" for number in range(0, commits, 2)})
    assert list(unreadable(figure)) == []
    shown = texts(figure)
    assert sum("0000000" in text for text in shown) == machines * commits, "every commit has a row"
    assert hollow(figure) == sum(point.disturbed for one in answer.courses for point in one.points) > 0
    assert all(f"now {LONG[:20]}" in "".join(shown) for _ in answer.courses)


def test_history_is_relative_to_the_first_commit_of_each_environment(tmp_path):
    for number, seconds in enumerate((0.1, 0.1, 0.2, 0.2, 0.5, 0.5)):
        row = {"run_id": f"r{number}", "commit": f"{number:012x}", "started_at": f"2026-01-0{1 + number}T00:00:00+00:00"}
        written(tmp_path / f"{number}.csv", {("nielsen", "matrix"): seconds}, **row, python="3.13" if number > 3 else "3.11")
    figure = history.draw(read_history([tmp_path]), {"000000000002": "matrix: copy twice"})
    (axis,) = figure.axes
    points = [line.get_xdata() for line in axis.lines if line.get_marker() == "s" and line.get_markerfacecolor() != "white"]
    assert np.concatenate(points) == pytest.approx([1, 1, 2, 2, 1, 1])
    shown = texts(figure)
    assert "2026-01-03  0000000  matrix: copy twice" in shown
    assert "2026-01-02  0000000" in shown, "git does not know its subject"
    assert "matrix (1x: 100 ms, then 500 ms)" in shown
    assert "2.00x slower: matrix" in shown


def commits_of(number):
    """Return commits with long subjects."""
    return [Commit(f"{position:040x}", f"2026-01-{1 + position % 28:02}", f"{LONG} {position}") for position in range(number)]


@pytest.mark.parametrize(("number", "measured"), [(2, [0, 1]), (40, range(40)), (400, [0, 1, 5, 200, 201, 202, 399])])
def test_along_commits(number, measured):
    ratios = {at: Interval(level, 0.99 * level, 1.01 * level) for at in measured for level in [1.06 if at >= number / 2 else 1.0]}
    after = min(at for at in measured if at >= number / 2)
    steps = [along_commits.Step(max(at for at in measured if at < after), after, 1.06)]
    skipped = [3, 4] if number > 40 else []
    figure = along_commits.draw(LONG * 2, f"mine:{LONG}", commits_of(number), ratios, steps, skipped=skipped, odds={number - 1: 0.5})
    assert list(unreadable(figure)) == []
    shown = texts(figure)
    assert sum(text.startswith("2026-01-") for text in shown) == len(measured) + len(skipped)
    gaps = [int(text.split()[0]) for text in shown if "not measured" in text]
    assert sum(gaps) == number - len(measured) - len(skipped), "every other commit is in a gap"
    assert any(text.startswith("+6.0%") for text in shown)


def test_releases_of_a_package_have_their_whole_name():
    releases = [Commit(version, "", "") for version in ("2.1.0", "2026.1.15rc1")]
    figure = along_commits.draw("title", "matrix", releases, dict.fromkeys((0, 1), Interval(1.0, 0.9, 1.1)), [])
    assert {"2.1.0", "2026.1.15rc1"} < set(texts(figure))


@pytest.mark.parametrize("load", [0.0, BUSY], ids=["idle", "busy"])
def test_roofline(tmp_path, trainers, load):
    written(tmp_path / "a.csv", cases(trainers, ["nielsen", "wide", "large"]), cpu=LONG, load=load)
    written(tmp_path / "b.csv", cases(trainers[:1], ["deep"]), workload=LONG, cpu=LONG, load=load)
    written(tmp_path / "c.csv", cases(trainers[:1]), trainer="gpu", accelerator=LONG, device="gpu", cpu=LONG, load=load, peak_flops=5e13)
    (figure,) = figures(tmp_path, "roofline")
    assert list(unreadable(figure)) == []
    number = 3 * len(trainers) + 1 + 2
    assert hollow(figure) == (number if load else 0)
    assert sum("(measured on a busy machine)" in text for text in texts(figure)) == (2 * len(figure.axes) if load else 0), (
        "both parts of each roof"
    )
    boxes = [box for text, box in drawn_texts(figure) if "(matrix product)" in text or "(memory copy)" in text]
    for axis in figure.axes:
        lines = [line for line in axis.lines if line.get_linestyle() == "None" and line.get_markerfacecolor() != "white"]
        marks = np.concatenate([axis.transData.transform(line.get_xydata()) for line in lines])
        distances = np.abs(marks[:, None] - marks).max(axis=2) + 1e9 * np.eye(len(marks))
        assert len(marks) == 1 or distances.min() > 8 * figure.dpi / 72, "no point covers another"
        assert not any(box.contains(*mark) for box in boxes for mark in marks), "no point is under the name of a roof"


def test_learning(tmp_path, trainers):
    for run in ("first", "second", LONG):
        times = dict.fromkeys(cases(trainers, ["nielsen"]), [0.1] * 40)
        written(tmp_path / f"{run}.csv", times, kind="training", run_id=run, workload=LONG, cpu=LONG)
    (figure,) = figures(tmp_path, f"learning-{LONG}")
    assert list(unreadable(figure)) == []
    dashes = [line.get_linestyle() for line in figure.axes[0].lines]
    assert len(set(dashes[:3])) == 3, "three runs of a trainer"


def test_a_disturbed_run_of_training_is_hollow_and_says_so(tmp_path):
    written(tmp_path / "a.csv", {("nielsen", "matrix"): [0.1] * 5}, kind="training", run_id="a")
    written(tmp_path / "b.csv", {("nielsen", "loop"): [1.0] * 5}, kind="training", run_id="a", load=BUSY)
    (figure,) = figures(tmp_path, "learning-nielsen")
    disturbed = {str(line.get_label()).split(":")[0]: line.get_markerfacecolor() == "white" for line in figure.axes[0].lines}
    assert disturbed == {"loop (disturbed)": True, "matrix": False}


def test_anatomy(tmp_path, trainers):
    written(tmp_path / "a.csv", cases(trainers[:-1] or trainers, ["nielsen"]), workload=LONG, cpu=LONG, call_seconds=0.01, load=BUSY)
    written(tmp_path / "b.csv", cases(trainers, ["wide"]), cpu=LONG, call_seconds=1e-5)
    (figure,) = figures(tmp_path, "anatomy")
    assert list(unreadable(figure)) == []
    named = [text for text in texts(figure) if "(disturbed)" in text.replace("\n", " ")]
    assert len(named) == max(1, len(trainers) - 1)


@pytest.mark.parametrize("dark", [False, True])
def test_first_picture_of_the_readme(dark):
    figure = ladder.draw(ROOT / "results", dark=dark)
    assert list(unreadable(figure)) == []
    background = np.mean(to_rgb(figure.get_facecolor()))
    assert (background < 0.2) == dark
    for axis in figure.axes:
        inks = [text.get_color() for text in (*axis.texts, axis.title, axis.xaxis.label, *axis.get_yticklabels())]
        assert all(abs(np.mean(to_rgb(ink)) - background) > 0.6 for ink in inks)
    drawing = (ROOT / "results" / f"ladder{'-dark' if dark else ''}.svg").read_text(encoding="utf-8")
    assert all(text in drawing for text in texts(figure)), "run python -m bench.plot.drawings"
