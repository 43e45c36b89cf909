"""`python -m bench report`: the page is complete, and escapes its input."""

import json

import pytest

from bench import records
from bench.__main__ import main
from bench.report.figures import figures
from tests.bench.report.examples import GRID, HOSTILE, NAMED
from tests.support.commands import ROOT
from tests.support.pages import part
from tests.support.rows import rows, written


def test_the_page_contains_every_figure_with_its_interval(page):
    data = json.loads(part(page, "figures"))
    assert [machine["label"] for machine in data["machines"]] == ["fine", HOSTILE]
    assert [job["title"].split(":")[0] for job in data["jobs"][:2]] == ["nielsen", "wide"]
    assert len(data["cells"]) == 2 * len(NAMED) + len(GRID)
    (cell,) = [c for c in data["cells"] if (c["job"], c["machine"], c["trainer"]) == (0, 0, "matrix")]
    value, low, high = cell["seconds"]
    assert value == pytest.approx(0.1)
    assert 0.09 < low < 0.099 < 0.101 < high < 0.11  # the rounds, their unknown correlation, and the spread of runs
    assert cell["speedup"][0] == pytest.approx(10)
    assert cell["speedup"][1] < 10 < cell["speedup"][2]
    assert cell["gflops"] == pytest.approx(47.94)
    assert cell["memory"] == 2e8
    assert cell["energy"] == [pytest.approx([1 / 12.5, 1 / 12.9, 1 / 12.1], rel=1e-4), 125, 20]
    (parts,) = [c for c in data["anatomy"] if (c["job"], c["name"], c["trainer"]) == (0, "fine", "matrix")]
    assert sum(parts["drawn"]) == pytest.approx(parts["epoch"], rel=1e-4)
    assert parts["calls"] == [0.03, 0.028, 0.033]
    assert data["curves"][0]["seconds"] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_the_page_contains_all_raw_rows(page, tmp_path):
    copy = tmp_path / "raw.csv"
    copy.write_bytes(part(page, "raw"))
    assert len(records.read([copy])) == len(records.read(records.files([page.parent.parent])))


def test_runs_that_disagree_show_their_own_facts(tmp_path):
    for run, time, columns in (
        ("a", 0.1, {"library": "numpy 2.3.0", "accuracy": 0.8, "peak_flops": 1e11, "memory_gib": 16.0}),
        ("b", 0.2, {"library": "numpy 2.4.6", "accuracy": 0.9, "peak_flops": 2e11, "memory_gib": 32.0}),
    ):
        written(tmp_path / f"{run}.csv", {("nielsen", "matrix"): time}, run_id=run, **columns)
    data = figures(records.read(records.files([tmp_path])))
    assert [machine["memory_gib"] for machine in data["machines"]] == [16.0, 32.0]
    shown = [(cell["library"], cell["accuracy"], cell["peak"][0]) for cell in data["cells"]]
    assert shown == [("numpy 2.3.0", 0.8, 100), ("numpy 2.4.6", 0.9, 200)]


def test_the_page_of_a_killed_run_contains_its_complete_rows(tmp_path):
    writer = records.Writer(tmp_path / "a.csv")
    writer.add(rows(NAMED))
    cut = writer.partial
    cut.write_bytes(cut.read_bytes()[:-9])
    assert main(["report", str(cut), "-o", str(tmp_path / "report.html")]) == 0
    copy = tmp_path / "raw.csv"
    copy.write_bytes(part(tmp_path / "report.html", "raw"))
    assert len(records.read([copy])) == len(rows(NAMED)) - 1


def test_text_of_a_csv_is_never_markup(page):
    text = page.read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert text.count("</script>") == text.count("<script") == 4


def test_a_csv_with_training_rows_only_makes_a_page(tmp_path):
    csv = ROOT / "results" / "amd-epyc-zen5-2-core" / "book.csv"
    assert main(["report", str(csv), "-o", str(tmp_path / "book.html")]) == 0
    data = json.loads(part(tmp_path / "book.html", "figures"))
    assert [machine["label"] for machine in data["machines"]] == ["amd-epyc-zen5-2-core"]
    best = records.read([csv]).groupby("trainer")["accuracy"].max().to_dict()
    assert {curve["trainer"]: max(curve["accuracy"]) for curve in data["curves"]} == best


def test_ten_machines_fit_into_two_megabytes(tmp_path):
    times = {key: [seconds * (1 + (7 * i % 13) / 977) for i in range(25)] for key, seconds in (NAMED | GRID).items()}
    for number in range(10):
        written(tmp_path / f"{number}.csv", times, machine=f"machine-{number}", run_id=f"r{number}")
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "report.html")]) == 0
    assert (tmp_path / "report.html").stat().st_size < 2e6


def test_bad_input_is_refused_and_a_broken_file_can_be_skipped(tmp_path, capsys):
    good = written(tmp_path / "good.csv", NAMED)
    (tmp_path / "bad.csv").write_text(good.read_text(encoding="utf-8") + "2,r1\n", encoding="utf-8")
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "a.html")]) == 2
    assert f"bad.csv, line {len(rows(NAMED)) + 2}: " in capsys.readouterr().err
    assert not (tmp_path / "a.html").exists()
    assert main(["report", str(tmp_path), "--skip-broken", "-o", str(tmp_path / "a.html")]) == 0
    assert part(tmp_path / "a.html", "raw") == good.read_bytes()
    assert main(["report", str(good), "-o", str(tmp_path)]) == 2
    assert f"-o {tmp_path}: " in capsys.readouterr().err
