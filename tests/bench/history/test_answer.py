"""Changes of speed along the commits of a history."""

import json
import math

import numpy as np
import pytest

from bench.history.answer import Answer
from bench.paired.revisions import Commit


def answer(levels, *, pairs=8, spread=0.007, skipped=None):
    """Return the history of commits with these times over the base's. skipped: reasons by number"""
    rng = np.random.default_rng(3)
    commits = [Commit(f"{number:040x}", f"2026-01-{number + 1:02}", f"change {number}") for number in range(len(levels) + 1)]
    ratios = {
        number: [] if number in (skipped or {}) else list(math.log(level) + rng.normal(0, spread, pairs))
        for number, level in enumerate(levels, start=1)
    }
    return Answer("matrix", commits, ratios, skipped or {})


def test_a_change_has_the_ratio_of_the_levels_on_both_sides():
    slower, faster = answer([1.0] * 6 + [1.05] * 6 + [0.9] * 4).changes()
    assert (slower.commit, faster.commit) == (7, 13)
    assert slower.ratio.low < 1.05 < slower.ratio.high
    assert faster.ratio.low < 0.9 / 1.05 < faster.ratio.high


def test_a_flat_history_has_no_change():
    flat = answer([1.0] * 20)
    assert flat.changes() == []
    assert "no change" in flat.text().splitlines()[0]


def test_skipped_commits_and_their_reasons_are_in_every_output():
    one = answer([1.0, 1.0, 1.0, 1.0, 1.2, 1.2, 1.2, 1.2], skipped={3: "it does not run"})
    assert [change.commit for change in one.changes()] == [5]
    assert "it does not run" in one.text()
    assert "it does not run" in one.markdown()
    commits = json.loads(one.json())["commits"]
    assert (commits[3]["skipped"], commits[3]["ratio"], commits[3]["pairs"]) == ("it does not run", None, 0)
    assert commits[5]["change"]["value"] == pytest.approx(1.2, rel=0.02)
    assert commits[0]["ratio"]["value"] == 1
