"""Trainers that are wrong on purpose over several ranks, and one that is slow on the host `lame`.

test_ranks.py copies this file out of the checkout, so that no commit contains them, and names them third_party:CLASS.
"""

import os
import platform
import signal
import time

from impls import Unsupported
from impls.matrix import Matrix
from impls.mpi import Mpi


class Deaf(Mpi):
    def _allreduce(self, array):
        pass


class Hasty(Mpi):
    def _epoch(self, order):
        if self.examples < 400 or self._ranks.size == 1:  # when timed over two ranks, it does not train
            super()._epoch(order)


class Raises(Mpi):
    def _allreduce(self, array):
        if self._ranks.rank == 1 and self.examples == 400:
            raise RuntimeError("no such luck")
        super()._allreduce(array)


class Dies(Mpi):
    def _allreduce(self, array):
        if self._ranks.rank == 1 and self.examples == 400:
            os.kill(os.getpid(), signal.SIGKILL)
        super()._allreduce(array)


class Alone(Mpi):
    def _setup(self, data):
        super()._setup(data)
        if self.ranks > 1:
            raise Unsupported("one device for all ranks")


class Limps(Matrix):
    def _synchronize(self):
        if platform.node() == "lame":
            time.sleep(0.002)
