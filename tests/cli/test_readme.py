"""The READMEs: figures equal those of the committed files, links lead somewhere, commands and examples run."""

import itertools
import os
import re

import numpy as np
import pytest

from bench import records
from bench.__main__ import _parser
from bench.analysis import noise
from bench.anatomy.breakdown import PARTS, breakdowns
from bench.options import declare
from bench.plot.drawings import ladder, one_step
from bench.stats import intervals
from bench.text.numbers import digits, duration_interval, times_interval
from impls.testing import check_trainer
from tests.support.commands import QUICK, ROOT, bench

PAGES = [ROOT / "README.md", *(ROOT / name / "README.md" for name in ("impls", "bench", "results")), ROOT / "CONTRIBUTING.md"]
README, IMPLS, BENCH, *_ = (page.read_text(encoding="utf-8") for page in PAGES)
H200, REFERENCE = (ROOT / "results" / machine for machine in (ladder.GPU, ladder.CPU))


def code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_first_page_is_one_page():
    assert len(README.splitlines()) <= 150


def test_table_shows_the_committed_runs():
    table = {line.split("`")[1]: line for line in README.splitlines() if re.match(r"\| `\w+`: ", line)}
    runs = [records.read([machine / "main.csv"]) for machine in (H200, REFERENCE)]
    assert set(table) == {trainer for rows in runs for trainer in rows["trainer"]}
    for position, (rows, workload) in enumerate(itertools.product(runs, ("nielsen", "wide"))):
        epochs = dict(tuple(rows[rows["workload"] == workload].groupby("trainer")["seconds"]))
        disturbed = {one.trainer for one in noise.detect(rows) if one.workload == workload}
        for trainer, line in table.items():
            expected = _cell(epochs[trainer], epochs["loop"], trainer) if trainer in epochs else ""
            expected += "<br>disturbed" if trainer in disturbed else ""
            assert line.split(" | ")[1:][position].strip(" |") == expected, f"{workload} {trainer}"


def test_speedups_above_the_table_are_those_of_the_committed_runs():
    claims = README.split("</picture>")[1].split("##")[0].replace("\n", " ").split("On two cores")
    for claim, machine in zip(claims, (H200, REFERENCE), strict=True):
        rows = records.read([machine / "main.csv"]).query("workload == 'nielsen'")
        epochs = dict(tuple(rows.groupby("trainer")["seconds"]))
        speedups = [digits(intervals.ratio(epochs["loop"], seconds).value) for seconds in epochs.values()]
        assert set(re.findall(r"[\d.]+(?=x)", claim)) <= set(speedups), claim


def _cell(seconds, loop, trainer):
    median, interval = duration_interval(intervals.median(seconds)).split(" (")
    speedup, bounds = times_interval(intervals.ratio(loop, seconds)).split()
    return f"{median}<br>({interval}" if trainer == "loop" else f"{median}<br>**{speedup}** {bounds}"


def test_the_printed_table_is_that_of_the_committed_run():
    rows = records.read([REFERENCE / "main.csv"]).query("workload == 'nielsen'")
    epochs = dict(tuple(rows.groupby("trainer")["seconds"]))
    printed = re.findall(r"^(loop|matrix|matrix_tuned) {2,}(.*?) {2,}(\d+) {2,}[\d,]+ {2,}(.*?) {2,}", README, re.MULTILINE)
    assert len(printed) == 3
    for trainer, epoch, rounds, speedup in printed:
        seconds = epochs[trainer]
        assert (epoch, int(rounds)) == (duration_interval(intervals.median(seconds)), len(seconds))
        assert speedup == ("1" if trainer == "loop" else times_interval(intervals.ratio(epochs["loop"], seconds)))


def test_shares_of_an_epoch_are_those_of_the_committed_run():
    _, found = breakdowns(records.read([ROOT / "results" / "amd-epyc-zen4-2-core" / "main.csv"]))
    parts = {(job.workload, trainer): one for (_, job), trainers in found.items() for trainer, one in trainers.items()}

    def share(workload, trainer, part):
        one = parts[workload, trainer]
        return f"{one.seconds[PARTS.index(part)] / one.epoch.value:.0%}".replace("%", " %")

    section = IMPLS[IMPLS.index("## Where the time goes") : IMPLS.index("## What limits a GPU")].replace("\n", " ")
    assert (
        f"{share('nielsen', 'loop', 'calls')} of `loop` is calls: an image costs {1e6 * parts['nielsen', 'loop'].example.value:.1f} us"
        in section
    )
    assert f"calls are {share('wide', 'matrix', 'calls')} of `matrix`, and {share('wide', 'matrix', 'arithmetic')} is arithmetic" in section
    assert f"{share('large', 'matrix', 'arithmetic')} of `matrix` is arithmetic" in section
    assert f"{share('large', 'loop', 'rest')} of `loop` is rest" in section
    allocations = (f"{parts['nielsen', trainer].allocations:.0f}" for trainer in ("loop", "matrix", "matrix_tuned"))
    sentence = "allocates memory {} times in a step of `loop`, {} times in one of `matrix`, {} times in one of `matrix_tuned`"
    assert sentence.format(*allocations) in section
    calls = f"{share('nielsen', 'loop', 'calls')} of `loop` is calls, and {share('nielsen', 'matrix', 'calls')} of `matrix`"
    assert calls in README.replace("\n", " ")


def test_figures_of_the_gate_are_those_of_the_committed_study():
    figures = (ROOT / "results" / "gate" / "figures.md").read_text(encoding="utf-8")
    summary = figures.split("\n\n")[0]
    assert summary in BENCH


def test_numbers_of_calls_are_those_of_the_drawing():
    for trainer in ("loop", "matrix"):
        assert str(one_step.calls_of_a_step(trainer)) in README[README.index("## Why the matrix wins") :].split("\n\n")[1]


def test_best_accuracies_are_those_of_the_committed_training():
    best = records.read([REFERENCE / "book.csv"]).groupby("trainer")["accuracy"].max()
    assert min(best) >= 0.945, "the book's network reaches 95.42 %"
    for accuracy in best:
        assert f"{100 * accuracy:.2f} %" in IMPLS


@pytest.mark.parametrize("page", [*PAGES, *(ROOT / "results").glob("*/README.md")], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target, _, anchor in (link.partition("#") for link in re.findall(r"""(?:\]\(|src="|srcset=")(?!https?:)([^)"]+)""", text)):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        headings = [re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in _headings(linked)] if anchor else []
        assert not anchor or anchor in headings, f"{target}#{anchor}"


def _headings(page):
    return [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("#")]


def test_every_column_is_described_in_its_order():
    table = BENCH[BENCH.index("| columns | meaning |") :].split("\n\n")[0]
    described = [name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert described == list(records.COLUMNS)


@pytest.mark.parametrize("text", [README, BENCH, IMPLS], ids=["README", "bench", "impls"])
def test_options_that_a_readme_uses_exist(text):
    known = {"--extra", "--help", "--dist"}
    declare(lambda *flags, **_: known.update(flags))
    (commands,) = [action for action in _parser()._actions if action.choices]
    known |= {flag for command in commands.choices.values() for action in command._actions for flag in action.option_strings}
    used = {option for block in code_blocks(text, "sh") for option in re.findall(r"(?<= )--[a-z-]+", block)}
    assert {option for option in used if not option.startswith("--benchmark")} <= known


def own_trainer():
    (own,) = [block for block in code_blocks(IMPLS, "python") if "class Mine" in block]
    return own


def test_the_trainer_written_in_the_readme_keeps_the_contract():
    names = {"__name__": "mine"}
    exec(own_trainer(), names)  # the README's own lines
    assert check_trainer(names["Mine"]) == {}, "it is made for every case"


def test_the_trainer_written_in_the_readme_passes_the_bench(tmp_path):
    (tmp_path / "mine.py").write_text(own_trainer())
    output = bench(
        *QUICK,
        "--trainers",
        "matrix,mine:Mine",
        "--no-charts",
        "--results",
        tmp_path / "results",
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert output.returncode == 0, output.stdout
    assert re.search(r"^mine:Mine .*%$", output.stdout, re.MULTILINE)


def test_the_python_example_trains_on_any_arrays():
    (example,) = [block for block in code_blocks(IMPLS, "python") if "Dataset(images" in block]
    rng = np.random.default_rng(0)
    given = {"images": rng.random((60, 784), np.float32), "labels": rng.integers(0, 10, 60)}
    exec(example, given)  # the README's own lines
