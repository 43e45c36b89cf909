"""What a contribution prints first: the machine, the code, the directory, the stages with their times."""

from __future__ import annotations

import logging

from bench.contribute.campaign import Campaign, by_reason
from bench.text.numbers import about, counted
from bench.text.tables import Table

LOG = logging.getLogger(__name__)

_BUSY = 0.05  # of the processors' time: from there on, bench.analysis.noise marks a case


def announce(campaign: Campaign, threads: int, load: float | None) -> None:
    """Print it. load: share of the processors' time that other processes take."""
    request, machine, directory = campaign.request, campaign.machine, campaign.directory
    code = f"commit {request.commit}" if request.commit else "no commit"
    LOG.info(f"machine   {machine.title}")
    LOG.info(f"software  Python {machine.python.split()[-1]}, NumPy {machine.numpy} on {machine.blas}, {counted(threads, 'thread')}")
    LOG.info(f"code      {code}{', changed since: check will refuse the result' if request.dirty else ''}")
    LOG.info(f"results   {directory.path}{f', because {directory.reason}' if directory.reason else ''}")
    for reason, trainers in by_reason(campaign.absent).items():
        LOG.info(f"left out  {', '.join(trainers)}: {reason}")
    if load and load > _BUSY:
        LOG.info(f"warning: other processes take {load:.0%} of the processors' time, so every figure will be too slow; end them first")
    LOG.info(f"\n{_plan(campaign).text()}\n")
    LOG.info(
        f"It ends after {request.minutes:g} {'minute' if request.minutes == 1 else 'minutes'}, even if stages are left. "
        "Until then, run nothing else on this machine.\n"
        "Ctrl-C ends it at any time: finished cases are kept, and the same command measures the others."
    )


def _plan(campaign: Campaign) -> Table:
    rows = []
    for stage in campaign.plan:
        cases, missing = campaign.cases(stage)
        seconds = sum(stage.seconds(missing, campaign.estimator, campaign.request.options.rounds))
        time = about(seconds) if missing else "already measured" if cases else "no trainer for it here"
        rows.append([stage.name, stage.question, str(len(missing)) if missing else "-", time])
    return Table("What is measured, in this order:", ["stage", "question", "cases", "time"], rows)
