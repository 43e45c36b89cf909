"""End of a contribution: the checks, the charts, the summary, and the next steps."""

from __future__ import annotations

import logging
from pathlib import Path

from bench import records
from bench.analysis import noise
from bench.analysis.copies import published
from bench.analysis.validate import check
from bench.contribute import summary
from bench.contribute.campaign import Campaign, by_reason
from bench.contribute.schedule import CLOSING
from bench.system.files import atomic_write
from bench.system.progress import progress
from bench.text.numbers import about, counted, plain
from impls import InputError, programs

LOG = logging.getLogger(__name__)


def close(campaign: Campaign) -> int:
    """Check the CSVs, draw the charts, write the summary, print the next steps, and return the exit code."""
    if not campaign.directory.csvs:
        _report_nothing(campaign)
        return 3
    complaints, charts = conclude(campaign, draw=campaign.request.options.charts)
    _report_files(campaign, len(charts))
    _report_left_out(campaign)
    if complaints:
        LOG.info("\nThe checks failed. Do not attach these files:")
        for complaint in complaints:
            LOG.info(f"  {plain(complaint)}")
        return 1
    _report_next_steps(campaign)
    return 1 if any(outcome.failed for outcome in campaign.outcomes) else 0


def conclude(campaign: Campaign, *, draw: bool) -> tuple[list[str], list[Path]]:
    """Check the CSVs, draw the charts if `draw`, print the warnings, and write the summary. Return the complaints and the charts."""
    csvs = campaign.directory.csvs
    if not csvs:
        return [], []
    known = published()
    complaints = [str(problem) for path in csvs for problem in check(path, known)]
    warnings = [warning for outcome in campaign.outcomes for warning in outcome.warnings]
    drawn: list[Path] = []
    if draw:
        from bench.plot import charts

        for path in csvs:
            progress(f"drawing the charts of {path.name}")
            try:
                drawn += charts.draw([path])
            except (InputError, OSError) as error:
                warnings.append(f"{path.name}: cannot draw the charts: {error}")
    warnings = list(dict.fromkeys(warnings))
    disturbed = [f"{path.name}: {line}" for path in csvs for line in noise.format_lines(noise.detect(records.read([path])), with_run=False)]
    for warning in (*warnings, *disturbed):
        LOG.info(f"warning: {plain(warning)}")
    if disturbed:
        LOG.info(summary.AGAIN)
    text = summary.text(campaign, warnings=[*disturbed, *warnings, *([summary.AGAIN] if disturbed else [])], complaints=complaints)
    atomic_write(campaign.directory.path / summary.NAME, text)
    return complaints, drawn


def _report_nothing(campaign: Campaign) -> None:
    LOG.info("")
    for outcome in campaign.outcomes:
        for case, reason in {**outcome.failed, **outcome.skipped}.items():
            LOG.info(f"{case.title}: {plain(reason)}")
    advice = ""
    if any(outcome.left_out for outcome in campaign.outcomes):
        stage = campaign.plan[0]
        first = stage.seconds(stage.cases(campaign.estimator)[:1], campaign.estimator, campaign.request.options.rounds)[0] + 2 * CLOSING
        advice = f" The first case needs {about(first)}; use --minutes {-(-first // 60):.0f}"
    LOG.info(f"No case was measured.{advice}")


def _report_files(campaign: Campaign, charts: int) -> None:
    LOG.info("")
    for path in campaign.directory.csvs:
        LOG.info(str(path))
    if charts:
        LOG.info(f"{counted(charts // 2, 'chart')}, as PNG and SVG")
    LOG.info(str(campaign.directory.path / summary.NAME))


def _report_left_out(campaign: Campaign) -> None:
    lines = [
        f"  {outcome.stage.name}: {counted(len(cases), 'case')}: {reason}"
        for outcome in campaign.outcomes
        for reason, cases in by_reason(outcome.left_out).items()
    ]
    if lines:
        LOG.info("\n".join(["\nNot measured:", *lines, f"To measure them: {campaign.request.resume_command}"]))


def _report_next_steps(campaign: Campaign) -> None:
    path = campaign.directory.path
    LOG.info("\nThe files are complete, plausible and free of personal data. To contribute them, attach them as a zip file to an issue:")
    LOG.info(f"  {programs.python()} -m zipfile -c {path.name}.zip {path}")
    if campaign.request.in_checkout:
        LOG.info("or open a pull request:")
        LOG.info(f"  git switch -c {path.name} && git add {path} && git commit -m 'results: add {path.name}'")
