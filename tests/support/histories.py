"""Repositories whose commits make a trainer slower."""

from tests.support.gate import git, own_repository

_MODULE = '''"""Version {number}."""

from time import perf_counter

from impls.matrix import Matrix
{first}

class Mine(Matrix):
    def _epoch(self, order):
        begin = perf_counter()
        super()._epoch(order)
        end = perf_counter()
        while perf_counter() < end + {share} * (end - begin):
            pass
'''


def module(number, share=0.0, *, broken=False):
    """Return the code of mine:Mine, which waits after an epoch for a share of its time."""
    return _MODULE.format(number=number, share=share, first="raise ValueError('no such thing')\n" if broken else "")


def repository(directory, shares, *, broken=()):
    """Make a repository with a commit for each share of time that mine:Mine waits."""
    directory.mkdir(exist_ok=True)
    mine = own_repository(directory, module(0, shares[0]))
    for number, share in enumerate(shares[1:], start=1):
        mine.write_text(module(number, share, broken=number in broken))
        git(directory, "commit", "--quiet", "-am", f"change {number}")
    return directory
