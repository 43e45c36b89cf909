"""What became slower, from the parts of an epoch on both sides."""

import pytest

from bench.gate.growth import compared


def parts(epoch, calls, **kinds):
    return {"epoch": epoch, "calls": calls, **kinds}


def test_what_grew_in_every_pair_is_named_largest_first():
    found = compared(
        [
            {"b": parts(20e-3, 6e-3, gather=3e-3, sigmoid=2e-3), "a": parts(21e-3, 6.1e-3, gather=3.7e-3, sigmoid=2.0e-3 + noise)}
            for noise in (1e-5, -1e-5, 1e-5)
        ]
    )
    assert [(part.name, part.longer) for part in found.grown] == [("rest", 3), ("gather", 3), ("calls", 3)]
    assert found.sentence() == "rest +900 us, gather +700 us, calls +100 us, in each of 3 pairs"
    sigmoid = next(part for part in found.parts if part.name == "sigmoid")
    assert (sigmoid.longer, sigmoid.base) == (2, pytest.approx(2e-3))
    assert "sigmoid" in found.table().text()


def test_an_operation_that_is_new_counts_from_zero():
    found = compared([{"b": parts(20e-3, 6e-3), "a": parts(21e-3, 6e-3, other=1e-3)}] * 2)
    assert next(part for part in found.grown if part.name == "other").base == 0


def test_without_a_common_growth_no_part_is_named():
    one, other = parts(20e-3, 6e-3), parts(20.1e-3, 6.2e-3)
    assert compared([{"b": one, "a": other}, {"b": other, "a": one}]).sentence() == "no part grew in every pair"
