"""Helpers for a process that mpiexec or srun started as a rank: supervision, errors on all ranks, barriers and processor pinning."""

from __future__ import annotations

import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from bench.machine import affinity
from bench.system import launcher, process_tree
from bench.system.child import describe_exit
from bench.system.own_command import own_command
from impls import InputError, programs, unavailable

Result = TypeVar("Result")

_POLL = 0.001  # seconds between two checks of an idle rank


class Refused(InputError):
    """An error that all ranks detect, so every rank exits and no rank waits for another."""


def supervised(work: Callable[[], int]) -> int:
    """Run the work in a forked child process and return its exit code. If a signal ends the child, print its rank and host.

    Launchers print no more than the number of the process, and some print nothing. Call this before MPI starts. The child is forked, not
    a `system.child.Child`, because it is the rank: it inherits this process's connection to the launcher. Without os.fork, the work runs
    in this process.
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
        _print_failure(describe_exit(code))
        return 128 - code
    return code


def _or_abort(work: Callable[[], int]) -> int:
    """Run the work and return its exit code. If it fails, print the error and abort the other ranks, which would wait for this one."""
    try:
        return work()
    except (Refused, SystemExit):  # every rank raises one of these
        raise
    except BaseException as error:
        internal = isinstance(error, Exception) and not isinstance(error, (InputError, OSError))  # not caused by the user's input
        _print_failure(f"failed: {type(error).__name__}: {error}", before=traceback.format_exc() if internal else "")
        sys.stdout.flush()
        from impls.mpi import world

        world().Abort(1)
        raise


def _print_failure(what: str, *, before: str = "") -> None:
    """Print the message in one write: the launcher may kill this process before a second write."""
    print(
        f"{before}epochbench: rank {launcher.rank()} on {platform.node()} {what}; finished rows, if any, are in the *.partial.csv",
        file=sys.stderr,
        flush=True,
    )


def started(command: str) -> Any:
    """Return the communicator of all ranks. Raises Refused, with the command to run, if there are fewer than two ranks."""
    if reason := unavailable("mpi"):
        raise Refused(command, f"cannot use MPI: {reason}")
    from impls.mpi import library, world

    ranks = world()
    if ranks.size < 2:
        raise Refused(
            command,
            "needs at least 2 ranks, got 1",
            f"run {programs.call('mpiexec') or 'mpiexec'} -n 2 {own_command()} {command}, "
            f"with the mpiexec of the MPI library that mpi4py loaded: {library()}",
        )
    return ranks


def on_all_ranks(ranks: Any, work: Callable[[], Result]) -> Result:
    """Run the same work on all ranks and return its result.

    If it raises InputError on any rank, the first such rank raises Refused and every other rank exits with code 2 and prints nothing.
    """
    result, error = None, None
    try:
        result = work()
    except InputError as refused:
        error = refused
    errors = ranks.allgather(error)
    first = next((rank for rank, error in enumerate(errors) if error), None)
    if first is not None:
        if ranks.rank == first:
            raise Refused(*errors[first].args)
        raise SystemExit(2)
    return result  # type: ignore[return-value]


def quiet_barrier(ranks: Any) -> None:
    """Wait until all ranks call this. A waiting rank sleeps: MPI's Barrier would use its processor and memory bandwidth."""
    request = ranks.Ibarrier()
    while not request.Test():
        time.sleep(_POLL)


def hosts(ranks: Any) -> int:
    """Return the number of hosts that the ranks run on."""
    return len(set(ranks.allgather(platform.node())))


def pin_share(ranks: Any) -> int:
    """Pin this rank to its share of its host's processors. Return how many ranks, from the first on, share no processor.

    If the launcher has bound the ranks to separate processors, they keep those. Else each rank gets an equal part of the common processors.
    If there are fewer processors than ranks, several ranks share a processor.
    """
    mine = affinity.processors()
    here = [processors for host, processors in ranks.allgather((platform.node(), mine)) if host == platform.node()]
    position = [rank for rank, host in enumerate(ranks.allgather(platform.node())) if host == platform.node()].index(ranks.rank)
    own = share(here, position)
    affinity.pin(own)
    return apart(ranks.allgather([(platform.node(), processor) for processor in own]))


def apart(used: Sequence[Iterable[tuple[str, int]]]) -> int:
    """Return how many ranks, from the first on, share no processor. used: for each rank, its (host, processor) pairs"""
    taken: set[tuple[str, int]] = set()
    for count, mine in enumerate(map(set, used)):
        if mine & taken:
            return count
        taken |= mine
    return len(used)


def share(available: Sequence[Sequence[int]], position: int) -> list[int]:
    """Return the processors of rank number `position` of a host. `available` lists, for each rank, the processors that it may use."""
    everything = sorted(set().union(*available))
    if sum(map(len, available)) == len(everything):
        return sorted(available[position])
    each = max(len(everything) // len(available), 1)
    first = position * each % len(everything)
    return everything[first : first + each]
