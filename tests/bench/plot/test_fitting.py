"""Text that fits into a width: line breaks, shortened names, and thinned labels."""

import pytest

from bench.plot import fitting

NAME = "intel-xeon-platinum-8480c-processor-112-core-nvidia-h200-nvl"


@pytest.mark.parametrize("text", [NAME, "one two three four five six", "x" * 60, "a_b.c:D", ""])
@pytest.mark.parametrize("inches", [0.5, 1.0, 10.0])
def test_no_line_is_too_wide_and_no_letter_is_lost(text, inches):
    shown = fitting.wrapped(text, inches, 10)
    assert all(fitting.width(line, 10) <= inches for line in shown.split("\n"))
    assert shown.replace("\n", "").replace(" ", "") == text.replace(" ", "")


def test_numbers_and_layers_are_not_divided():
    text = "nielsen: 784-30-10, batch 10, 50,000 examples"
    lines = fitting.wrapped(text, 1.0, 10).split("\n")
    assert {"784-30-10,", "50,000"} <= {word for line in lines for word in line.split(" ")}


def test_a_shortened_name_keeps_both_ends():
    shown = fitting.cropped(NAME, 1.0, 2, 10)
    assert shown.count("\n") <= 1
    assert shown.startswith("intel-")
    assert shown.endswith("nvl")
    assert fitting.cropped("loop", 1.0, 2, 10) == "loop"


def test_labels_of_an_axis_do_not_meet():
    assert fitting.thinned([1, 10, 100], 3.0, 9) == ["1", "10", "100"]
    assert fitting.thinned([1000, 1001, 2000], 3.0, 9) == ["1,000", "", "2,000"]


def test_an_axis_ends_behind_its_labels():
    end = fitting.right_end(1.0, [(100.0, "a label of an inch or so")], 4.0, 10)
    assert end > 100
    assert fitting.right_end(1.0, [], 4.0, 10) == 1.0
