"""Tests of the contract suite: the result and the errors of `check_trainer`. test_verification.py tests that it detects wrong trainers."""

import subprocess
import sys

import pytest

from impls import Unsupported
from impls.loop import Loop
from impls.testing import CHECKS, check_trainer
from tests.support.commands import ROOT
from tests.support.wrong_trainers import Exits


def test_every_check_has_a_unique_name_and_a_docstring():
    assert len({str(check) for check in CHECKS}) == len(CHECKS)
    assert all(check.function.__doc__ for check in CHECKS)


def test_a_correct_trainer_passes_and_every_check_applies():
    assert check_trainer(Loop) == {}


def test_check_trainer_returns_the_checks_that_do_not_apply_with_the_reason():
    class Shallow(Loop):
        def _setup(self, data):
            if len(self.layers) > 2:
                raise Unsupported("one layer only")
            super()._setup(data)

    not_applicable = check_trainer(Shallow)
    applicable = {str(check) for check in CHECKS} - not_applicable.keys()
    assert set(not_applicable.values()) == {"one layer only"}
    assert "check_bad_settings_are_refused" in applicable
    assert len([name for name in applicable if "layers=6-3" in name]) == 6


def test_check_trainer_raises_unsupported_for_an_unavailable_trainer():
    class Absent(Loop):
        @classmethod
        def unavailable(cls):
            return "no such device; install one"

    with pytest.raises(Unsupported, match="install one"):
        check_trainer(Absent)


def test_the_error_names_the_trainer_and_every_check_that_fails():
    class Frail(Loop):
        def _epoch(self, order):
            if order.dtype == "uint8":
                raise RuntimeError("unsupported dtype")
            super()._epoch(order)

    with pytest.raises(AssertionError) as failure:
        check_trainer(Frail)
    assert str(failure.value).splitlines() == [
        f"{__name__}.{Frail.__qualname__}: 1 of {len(CHECKS)} checks fail",
        "  check_integer_orders: RuntimeError('unsupported dtype')",
    ]
    assert isinstance(failure.value.__cause__, RuntimeError)
    with pytest.raises(AssertionError, match=r"check_step_by_hand: SystemExit\(3\)"):
        check_trainer(Exits)


@pytest.mark.parametrize("options", [[], ["-O"]], ids=["with assert statements", "without assert statements"])
def test_check_trainer_works_without_pytest(options):
    program = """
import sys; sys.modules["pytest"] = None
from impls.loop import Loop
from impls.testing import check_trainer

class Wrong(Loop):
    def _epoch(self, order):
        super()._epoch(order[::-1])

check_trainer(Loop)
try:
    check_trainer(Wrong)
except AssertionError as error:
    print(error)"""
    output = subprocess.run([sys.executable, *options, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "__main__.Wrong: " in output.stdout
    assert "check_any_depth_and_batch_size(layers=6-3,batch_size=5)" in output.stdout
