"""`python -m bench contribute`: from the detection of the machine to the finished directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from bench.contribute import closing
from bench.contribute.announcement import announce
from bench.contribute.campaign import Campaign, Countdown, Request
from bench.contribute.directory import CONFIGURATION, choose_directory
from bench.contribute.estimator import Estimator
from bench.contribute.probe import probe
from bench.contribute.schedule import Schedule
from bench.contribute.stages import Stage, stages
from bench.machine import affinity
from bench.machine.identity import describe
from bench.machine.load import Meter
from bench.system.progress import progress
from impls import InputError


def contribute(request: Request, *, plan: Sequence[Stage] | None = None) -> int:
    """Measure within the time budget. Return 1 if a check complains or a trainer failed, 3 if no case was measured, otherwise 0.

    plan: the stages (default: all)
    Raises InputError before the first measurement, or if rows cannot be read back. Raises Stopped if interrupted; finished cases are kept.
    """
    countdown, options = Countdown(60 * request.minutes), request.options
    progress("detecting the hardware")
    machine, threads = describe(options.machine), options.threads or affinity.default_threads()
    if threads > affinity.available():
        raise InputError(f"--threads {threads}", f"this process may run on {affinity.available()} processors", "give fewer")
    meter = Meter(children=True)
    devices, absent = probe(options.trainers)
    load = meter.shares().load
    plan, splits = plan or stages(request.examples), options.splits()
    estimator = Estimator(devices, {one.name: one for stage in plan for one in stage.workloads}, len(splits.training))
    facts = asdict(machine) | {"threads": threads, "commit": request.commit}
    configuration = {name: facts[name] for name in CONFIGURATION}
    directory = choose_directory(options.results, configuration, request.dirty, estimator)
    campaign = Campaign(request, machine, directory, plan, estimator, absent, countdown)
    with directory.owned():
        for stage in plan:  # rows of a killed call
            directory.collect(stage)
        campaign.learn()
        estimator.try_loop(splits)
        announce(campaign, threads, load)
        try:
            Schedule(campaign).run()
        except BaseException:
            closing.conclude(campaign, draw=False)  # without charts, because the user is waiting
            raise
        return closing.close(campaign)
