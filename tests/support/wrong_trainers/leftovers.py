"""Trainers that compute the right thing and leave the process in another state."""

import os
import threading
import time

import numpy as np
import threadpoolctl

from impls.matrix import Matrix
from tests.support.wrong_trainers.timing import timed


class ChangesTheProcess(Matrix):
    def _epoch(self, order):
        super()._epoch(order)
        np.seterr(over="raise")
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        threadpoolctl.threadpool_limits(1)


class SlowsTheClock(Matrix):
    """Makes its own epochs look ten times as fast."""

    def _epoch(self, order):
        super()._epoch(order)
        if "slow" not in time.perf_counter.__name__:
            right = time.perf_counter

            def slow():
                return right() / 10

            time.perf_counter = slow


class LeavesAThread(Matrix):
    """Starts a thread that keeps the process alive."""

    def _epoch(self, order):
        super()._epoch(order)
        if timed(self) and not any(thread.name == "endless" for thread in threading.enumerate()):
            threading.Thread(target=threading.Event().wait, name="endless").start()


class LeavesABusyThread(Matrix):
    """Starts a thread that computes until the process ends."""

    busy = False

    def _epoch(self, order):
        super()._epoch(order)
        if timed(self) and not self.busy:
            self.busy = True
            threading.Thread(target=self._compute, daemon=True).start()

    @staticmethod
    def _compute():
        while True:
            sum(range(1000))
