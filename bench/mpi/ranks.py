"""This process among the ranks that mpiexec or srun started: what becomes of it, where it runs, and how to start one outside of them."""

from __future__ import annotations

import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from bench.machine import affinity
from bench.system import launcher, process_tree
from bench.system.child import describe_exit
from impls import InputError, unavailable

Result = TypeVar("Result")

_POLL = 0.001  # seconds between two looks of a rank that has nothing to do


class Refused(InputError):
    """The same on all ranks: nobody waits for whoever leaves with it."""


def supervised(work: Callable[[], int]) -> int:
    """Return the work's exit code, done in a child process. If a signal ends that, say which rank it was, and on which host.

    A launcher names a process at best, and not every one does. Must be called before MPI is started. A fork and not a
    `system.child.Child`, because the child is the rank: it needs the connection to the launcher that this process was started with.
    Without fork: done here.
    """
    if not hasattr(os, "fork"):
        return _or_abort(work)
    child = os.fork()
    if not child:
        process_tree.end_with_parent()
        return _or_abort(work)
    try:
        _, status = os.waitpid(child, 0)
    except BaseException:  # the launcher ends the run
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        raise
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        _tell(describe_exit(code))
        return 128 - code
    return code


def _or_abort(work: Callable[[], int]) -> int:
    """Return the work's exit code; if it fails on this rank, say so and end the others, which would wait for it."""
    try:
        return work()
    except (Refused, SystemExit):  # which all ranks know of
        raise
    except BaseException as error:
        ours = isinstance(error, Exception) and not isinstance(error, (InputError, OSError))  # nothing of the user's
        _tell(f"failed: {type(error).__name__}: {error}", before=traceback.format_exc() if ours else "")
        sys.stdout.flush()
        from impls.mpi import world

        world().Abort(1)
        raise


def _tell(what: str, *, before: str = "") -> None:
    """Print one message in one write: the launcher may end this process before a second one."""
    print(
        f"{before}epochbench: rank {launcher.rank()} on {platform.node()} {what}; "
        "what was finished is kept in the *.partial.csv, if there was anything",
        file=sys.stderr,
        flush=True,
    )


def started(command: str) -> Any:
    """Return the communicator of all ranks. Raises Refused that says how to start them if there are not two at least."""
    if reason := unavailable("mpi"):
        raise Refused(f"{command} needs MPI: {reason}")
    from impls.mpi import library, world

    ranks = world()
    if ranks.size < 2:
        raise Refused(
            f"{command} runs on several ranks: mpiexec -n 2 python -m bench {command}; "
            f"and with the mpiexec of the MPI that mpi4py found, {library()}"
        )
    return ranks


def on_all_ranks(ranks: Any, work: Callable[[], Result]) -> Result:
    """Return what the work, the same on all ranks, returns. If it raises InputError on any rank, the first of them raises Refused, and
    the others leave with exit code 2 and without a word.
    """
    result, error = None, None
    try:
        result = work()
    except InputError as refused:
        error = refused
    errors = ranks.allgather(error and str(error))
    first = next((rank for rank, error in enumerate(errors) if error), None)
    if first is not None:
        if ranks.rank == first:
            raise Refused(errors[first])
        raise SystemExit(2)
    return result  # type: ignore[return-value]


def quiet_barrier(ranks: Any) -> None:
    """Return when all ranks are here. Who comes early sleeps: a barrier would keep its processor, and others' memory, busy."""
    request = ranks.Ibarrier()
    while not request.Test():
        time.sleep(_POLL)


def hosts(ranks: Any) -> int:
    """Return how many hosts the ranks are on."""
    return len(set(ranks.allgather(platform.node())))


def pin_share(ranks: Any) -> bool:
    """Hold this process to its own share of its host's processors, and return whether each has one to itself.

    A launcher may have bound the ranks already: to processors that they do not share, and those they keep. Else each gets an equal part
    of what they have in common; if there are fewer than ranks, they take turns.
    """
    mine = affinity.processors()
    here = [processors for host, processors in ranks.allgather((platform.node(), mine)) if host == platform.node()]
    position = [rank for rank, host in enumerate(ranks.allgather(platform.node())) if host == platform.node()].index(ranks.rank)
    affinity.pin(share(here, position))
    return all(ranks.allgather(len(here) <= len(set().union(*here))))


def share(available: Sequence[Sequence[int]], position: int) -> list[int]:
    """Return the processors of rank number `position` of a host, whose ranks may run on those that are available to each."""
    everything = sorted(set().union(*available))
    if sum(map(len, available)) == len(everything):
        return sorted(available[position])
    each = max(len(everything) // len(available), 1)
    first = position * each % len(everything)
    return everything[first : first + each]
