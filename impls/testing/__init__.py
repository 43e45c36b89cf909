"""The contract suite: checks of the contract of `impls.trainer.Trainer`, for authors of trainers.

In a script or a notebook:

    from impls.testing import check_trainer
    check_trainer(Mine)

In a test file, with one test for each check:

    @pytest.mark.parametrize("check", CHECKS, ids=str)
    def test_contract(check):
        check(Mine)

A check raises AssertionError, or the trainer's own exception. If the trainer does not support a check's network or batch size, it raises
`Unsupported`, and the check does not apply. No check measures time: the bench checks that an epoch returns after its work is finished.
"""

from __future__ import annotations

from impls.errors import Unsupported
from impls.testing.check import Check
from impls.testing.checks import CHECKS
from impls.testing.material import relative_error, same_bits, trained
from impls.trainer import Trainer

__all__ = ["CHECKS", "Check", "check_trainer", "relative_error", "same_bits", "trained"]


def check_trainer(kind: type[Trainer]) -> dict[str, str]:
    """Run all CHECKS on a trainer's class.

    Returns the names of the checks that do not apply, each with the trainer's reason.
    Raises Unsupported if the trainer cannot run on this machine, and AssertionError, with the names of the failed checks, if any fail.
    """
    if reason := kind.unavailable():
        raise Unsupported(reason)
    not_applicable: dict[str, str] = {}
    failed: dict[str, BaseException] = {}
    for check in CHECKS:
        try:
            check(kind)
        except Unsupported as unsupported:
            not_applicable[str(check)] = str(unsupported)
        except (Exception, SystemExit) as error:
            failed[str(check)] = error
    if failed:
        lines = [f"{kind.__module__}.{kind.__qualname__}: {len(failed)} of {len(CHECKS)} checks fail"]
        lines += [f"{name}: {error if isinstance(error, AssertionError) else repr(error)}" for name, error in failed.items()]
        raise AssertionError("\n  ".join(lines)) from next(iter(failed.values()))
    return not_applicable
