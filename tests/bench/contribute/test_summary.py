"""The Markdown summary of a contribution, and its checks."""

from bench import records
from bench.contribute.stages import stages
from bench.contribute.summary import AGAIN
from bench.stats import intervals
from bench.text.numbers import duration_interval, times_interval
from tests.support.contribute import done


def test_figures_of_the_summary_match_the_csv(machine, tmp_path):
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


def test_skipped_and_failed_cases_are_in_the_summary_with_their_reasons(machine, tmp_path):
    machine.what |= {"wide matrix": "skipped", "wide compiled": "failed"}
    code, _ = done(tmp_path, 3.0)
    summary = (tmp_path / "box" / "summary.md").read_text(encoding="utf-8")
    assert code == 1
    assert "- main: wide matrix: skipped: it does not fit" in summary
    assert "- main: wide compiled: failed: VerificationError: it is wrong" in summary
    assert "- torch\\_cpu: torch is not installed" in summary


def test_a_disturbed_case_is_flagged_in_its_table(machine, tmp_path):
    machine.columns = {"load": 0.4}
    _, output = done(tmp_path, plan=[stages()[0], stages()[2]])
    summary = (tmp_path / "box" / "summary.md").read_text(encoding="utf-8").replace("\\", "")
    assert summary.count("| matrix (!) |") == 3, "nielsen, wide and the learning curve"
    assert AGAIN in output


def test_a_failed_check_returns_1_and_proposes_no_pull_request(machine, tmp_path):
    machine.columns = {"max_error": 0.5}
    code, output = done(tmp_path, 1.0)
    assert code == 1
    assert "column max_error: 5.0e-01" in output
    assert "git add" not in output
