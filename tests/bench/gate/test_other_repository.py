"""The command `gate` on a trainer of another repository."""

import re

import pytest

from tests.support.commands import ROOT
from tests.support.gate import QUICK, own_repository, run_gate


@pytest.mark.live
def test_a_speedup_of_a_trainer_in_another_repository_passes(tmp_path):
    slow = "def _backprop(self, x, y):\n        super()._backprop(x, y)\n        return super()._backprop(x, y)"
    mine = own_repository(tmp_path, f"from impls.matrix import Matrix\n\n\nclass Mine(Matrix):\n    {slow}\n")
    mine.write_text(mine.read_text().replace(slow, "pass"))
    output = run_gate(tmp_path, "--trainers", "mine:Mine", *QUICK, PYTHONPATH=str(ROOT))
    assert output.returncode == 0, output.stderr
    assert re.search(r"^mine:Mine +faster", output.stdout, re.MULTILINE)
