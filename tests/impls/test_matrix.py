"""Tests of `matrix` and `matrix_tuned` beside the contract that every trainer has."""

import ast
import inspect
import re

import numpy as np
import pytest

from impls import gpu, loop, matrix, matrix_tuned
from impls.tape import Tape, play
from tests.support.commands import ROOT


def functions(module):
    """Return the names of the functions of a module's class, in their order."""
    (kind,) = [node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef)]
    return [node.name for node in kind.body if isinstance(node, ast.FunctionDef)]


def test_matrix_has_the_functions_of_loop_in_the_same_order():
    assert functions(matrix) == functions(loop)


def test_gpu_adds_only_how_data_reaches_the_device_and_comes_back():
    assert functions(gpu) == ["network", "_epoch"]


def test_a_tape_makes_its_calls_when_it_is_played_with_the_arrays_of_then():
    a, out = np.ones(2), np.zeros(2)
    tape = Tape(np)
    tape.add(a, 1, out=out)
    tape.record(np.negative, out, out)
    assert out.tolist() == [0, 0]
    a[:] = 5
    play([tape, tape])
    assert out.tolist() == [-6, -6]


def test_the_gains_in_the_header_of_matrix_tuned_are_those_of_the_committed_study():
    text = (ROOT / "results" / "tricks" / "figures.md").read_text(encoding="utf-8")
    measured = [[float(cell.split()[0]) for cell in line.split("|")[2:5]] for line in text.splitlines() if re.match(r"\|.*\d\.\d{3}", line)]
    header = [re.findall(r"\d\.\d\d\b", line) for line in matrix_tuned.__doc__.splitlines()]
    assert [[float(cell) for cell in line] for line in header if line] == [pytest.approx(line, abs=0.0051) for line in measured]
    assert all(max(line) >= 1.01 for line in measured), "a trick that gains less than 1 % on every workload goes"
    assert "\n".join(text.splitlines()[2:]) in (ROOT / "results" / "tricks" / "README.md").read_text(encoding="utf-8")
