"""First lines of a contribution: the machine, the code, the directory, and the stages with their times."""

from __future__ import annotations

import logging

from bench.contribute.campaign import Campaign, by_reason
from bench.text.numbers import about, counted
from bench.text.tables import Table

LOG = logging.getLogger(__name__)

_BUSY = 0.05  # share of the processor time above which bench.analysis.noise flags a case


def announce(campaign: Campaign, threads: int, load: float | None) -> None:
    """Print the plan and the setup. load: share of the processor time that other processes use."""
    request, machine, directory = campaign.request, campaign.machine, campaign.directory
    code = f"commit {request.commit}" if request.commit else "no commit"
    LOG.info(f"machine   {machine.title}")
    LOG.info(f"software  Python {machine.python.split()[-1]}, NumPy {machine.numpy} on {machine.blas}, {counted(threads, 'thread')}")
    LOG.info(f"code      {code}{', with uncommitted changes: check will reject the result' if request.dirty else ''}")
    LOG.info(f"results   {directory.path}{f' ({directory.reason})' if directory.reason else ''}")
    for reason, trainers in by_reason(campaign.absent).items():
        LOG.info(f"skipped   {', '.join(trainers)}: {reason}")
    if load and load > _BUSY:
        LOG.info(f"warning: other processes use {load:.0%} of the processor time, so every epoch will be too slow; end them first")
    LOG.info(f"\n{_plan(campaign).text()}\n")
    LOG.info(
        f"The command stops after {request.minutes:g} {'minute' if request.minutes == 1 else 'minutes'}, even if stages remain. "
        "Until then, run nothing else on this machine.\n"
        "Ctrl-C stops it earlier. It keeps the finished cases, and the same command measures the others."
    )


def _plan(campaign: Campaign) -> Table:
    rows = []
    for stage in campaign.plan:
        cases, missing = campaign.cases(stage)
        seconds = sum(stage.seconds(missing, campaign.estimator, campaign.request.options.rounds))
        time = about(seconds) if missing else "already measured" if cases else "no trainer can run it"
        rows.append([stage.name, stage.question, str(len(missing)) if missing else "-", time])
    return Table("The plan, in this order:", ["stage", "question", "cases", "time"], rows)
