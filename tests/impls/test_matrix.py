"""Tests of `matrix` and `matrix_tuned` beside the contract that every trainer has."""

import ast
import inspect

import numpy as np

from impls import gpu, loop, matrix
from impls.tape import Tape, play


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
    tape.note(np.negative, out, out)
    assert out.tolist() == [0, 0]
    a[:] = 5
    play([tape, tape])
    assert out.tolist() == [-6, -6]
