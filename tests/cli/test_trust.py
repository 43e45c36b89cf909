"""CSVs and datasets are untrusted input: their content is text and numbers, never code, a path, a formula or markup."""

import ast
import csv
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from bench import records
from bench.__main__ import main
from bench.gate.verdict import Report, Verdict
from bench.machine import clock
from bench.machine.identity import describe, slug
from bench.measure import summary
from bench.measure.case import Case
from bench.measure.inputs import Inputs
from bench.measure.outcomes import Outcomes
from bench.measure.recorder import Recorder, RunColumns
from bench.measure.run import Run
from bench.options import parse
from bench.verify.epoch_job import EpochJob
from bench.workload import named
from tests.support.commands import ROOT
from tests.support.rows import rows, written

FILES = sorted(path.relative_to(ROOT) for package in ("impls", "bench") for path in (ROOT / package).rglob("*.py"))

NIELSEN = {("nielsen", "loop"): 1.0, ("nielsen", "matrix"): 0.1}
FORMULAS = ("=1+1", "+1+1", "-1+1", "@SUM(A1)", "=HYPERLINK(\"http://x\",\"y\")", "'=1", "''=1", "'", "'plain", "-", "=")  # fmt: skip

# --- no code from data ---------------------------------------------------------------------------------------------------------------

_UNPICKLING = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml"}
_RUNNING = {"eval", "exec", "__import__", "import_module", "run_path", "run_module", "popen", "read_pickle", "query"}
_BY_DESIGN = {
    (Path("impls/__init__.py"), "importlib.import_module"),  # module:Class, from the command line
    (Path("impls/peers/mlx_compiled.py"), "mx.eval"),  # computes arrays
    (Path("bench/machine/peaks_mlx.py"), "mx.eval"),
}


def suspicious(path: Path):
    """Yield the imports and calls in a file that could run code from data."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] in _UNPICKLING)
        elif isinstance(node, ast.ImportFrom):
            yield from {(node.module or "").split(".")[0]} & _UNPICKLING
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            given = {keyword.arg: getattr(keyword.value, "value", None) for keyword in node.keywords}
            if called.split(".")[-1] in _RUNNING or called in {"compile", "os.system"}:
                yield called
            elif called in {"np.load", "numpy.load"} and given.get("allow_pickle") is not False:
                yield "load with pickles"
            elif given.get("shell"):
                yield "shell"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_module_runs_code_from_data(path):
    assert {(path, what) for what in suspicious(path)} <= _BY_DESIGN


class Pickled:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_in_a_job_file_is_not_unpickled(tmp_path):
    np.savez(tmp_path / "job.npz", facts=np.array([Pickled(tmp_path / "touched")], object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        EpochJob.read(tmp_path / "job.npz")
    assert not (tmp_path / "touched").exists()


def test_the_guide_says_which_code_runs():
    guide = (ROOT / "bench" / "README.md").read_text(encoding="utf-8")
    assert re.search(r"`module:Class`[^.]*imports[^.]*runs", guide)


# --- names and paths -----------------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=80) | st.sampled_from(["../..", "CON", "nul", "com1", "LPT9", "aux.", "a/b", "C:\\x", "~", "x" * 300, "計算機"]))
def test_a_slug_is_a_valid_file_name_on_every_system(text):
    name = slug(text)
    assert re.fullmatch(r"[^\W_]([\w-]*[^\W_])?", name)
    assert "_" not in name
    assert len(name.encode()) <= 88
    assert name not in {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
    assert slug(name) == name


def test_charts_with_hostile_names_stay_in_their_directory_and_do_not_collide(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Figure, "savefig", lambda _, file, **__: file.touch(exist_ok=False))  # tests the path, not the drawing
    names = ["../../x", "..\\x", "a b", "a-b", "CON", "/etc/x", "m" * 300, "m" * 301]
    all_rows = [row for i, name in enumerate(names) for row in rows({("nielsen", "matrix"): [0.1]}, machine=name, run_id=f"r{i}", flops=0)]
    for workload in ("../y", "..-y"):
        all_rows += rows({("nielsen", "matrix"): [0.1]}, machine="a b", kind="training", workload=workload)
    (tmp_path / "deep" / "in").mkdir(parents=True)
    writer = records.Writer(tmp_path / "deep" / "in" / "run.csv")
    writer.add(all_rows)
    path = writer.close()
    assert main(["plot", str(path), "-o", str(tmp_path / "deep" / "out")]) == 0
    files = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert len(set(files)) == len(files) == 2 * (len(names) + 2)
    assert {file for file in tmp_path.rglob("*") if file.is_file()} == {path, *files}
    assert all(file.parent == tmp_path / "deep" / "out" for file in files)


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links require a privilege on Windows")
def test_symbolic_links_in_the_results_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("mine", encoding="utf-8")
    results = tmp_path / "results"
    results.mkdir()
    for name in ("run.partial.csv", "run.csv", "run-epoch-time.png", "run-epoch-time.svg"):
        (results / name).symlink_to(outside)
    path = written(results / "run.csv", {("nielsen", "matrix"): [0.1]}, peak_flops=None)
    assert main(["plot", str(path)]) == 0
    assert outside.read_text(encoding="utf-8") == "mine"
    assert not any(file.is_symlink() for file in results.iterdir())


# --- spreadsheets --------------------------------------------------------------------------------------------------------------------


def test_written_cells_are_never_formulas_and_every_text_round_trips(tmp_path):
    path = written(tmp_path / "a.csv", NIELSEN, machine=FORMULAS[0], cpu=FORMULAS[4])
    writer = records.Writer(tmp_path / "all.csv")
    writer.add(row for text in FORMULAS for row in rows(NIELSEN, machine=text, cpu=text, library=text, blas=text))
    both = tmp_path / "both.csv"
    both.write_bytes(path.read_bytes() + writer.close().read_bytes())
    with both.open(encoding="utf-8", newline="") as file:
        assert not [cell for row in csv.reader(file) for cell in row if re.match(r"[=+\-@\t\r]", cell)]
    table = records.read([both])
    assert table["machine"].unique().tolist() == list(FORMULAS)
    assert table["cpu"].tolist()[10:] == table["machine"].tolist()[10:]


def test_a_negative_number_is_not_escaped(tmp_path):
    @dataclass(frozen=True)
    class Difference:
        name: str
        seconds: float

    writer = records.Writer(tmp_path / "a.csv")
    writer.add([Difference("-x", -0.5)])
    assert writer.close().read_text(encoding="utf-8") == "name,seconds\n'-x,-0.5\n"


def test_an_older_file_is_read_unescaped_and_escaped_when_copied(tmp_path):
    path = written(tmp_path / "a.csv", NIELSEN, machine="=1+1")
    older = tmp_path / "older.csv"
    older.write_text(path.read_text(encoding="utf-8").replace("'=1+1", "=1+1"), encoding="utf-8")
    assert records.read([older])["machine"].unique().tolist() == ["=1+1"]
    assert records.neutral(older) == records.neutral(path) == path.read_text(encoding="utf-8")


# --- Markdown and terminals ----------------------------------------------------------------------------------------------------------


def test_the_summary_of_the_gate_escapes_hostile_text():
    reason = "boom\n\n## Approved <img src=x> | [click](http://x) @all\x1b[2J"
    report = Report("abc|<b> (`x`)", "def", 0.01, [Verdict("my|*mod*:<T>", "broken", reason=reason)], None)
    lines = report.markdown().splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert [line.count("|") - line.count("\\|") for line in table] == [8, 8, 8]
    assert "| my\\|\\*mod\\*:\\<T\\> | broken |" in table[2]
    (heading,) = [line for line in lines if line.startswith("#")]
    assert heading.startswith("### epochbench gate: def against abc")
    assert not re.search(r"(?<!\\)[<>\[\x1b]", report.markdown())
    assert "\x1b" not in report.text()
    assert report.text().count("\n") == 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not allow these file names")
def test_terminal_escapes_in_file_names_are_not_printed(tmp_path, capsys):
    bad = tmp_path / "a\x1b[2J\nb.csv"
    bad.write_text("schema,", encoding="utf-8")
    for command in (["compare", str(tmp_path)], ["check", str(bad)], ["report", "--skip-broken", str(bad)]):
        assert main(command) == 2
        output = capsys.readouterr()
        assert "\x1b" not in output.err
        assert all(line.startswith("epochbench: ") for line in output.err.splitlines())
        assert r"a\x1b[2J\nb.csv" in output.err or "--skip-broken" in command
    copy = Path(written(tmp_path / "good\x1b[2J.csv", {("nielsen", "matrix"): [0.1]}, peak_flops=None))
    for command in (["check", str(copy)], ["plot", str(copy)]):
        assert main(command) in (0, 1)
        assert "\x1b" not in capsys.readouterr().out


def test_rich_markup_in_a_name_is_not_interpreted(tmp_path, mnist):
    case = Case(named("nielsen"), "[/]", "gone [bold]")
    columns = RunColumns("id", "", "timing", "mnist", 1, describe("box"), {})
    recorder = Recorder(columns, records.Writer(tmp_path / "run.csv"), clock.measure())
    run = Run(parse({}, results=tmp_path), [case], Inputs(lambda: mnist), Outcomes(skipped={case: "gone [bold]"}), recorder)
    assert "skipped [/]: gone [bold]" in summary.text(run, colours=False)
