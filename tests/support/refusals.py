"""Assertions on the fields of an InputError. The tests do not depend on the wording of its message."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from impls import InputError


@contextmanager
def refused(thing: object, *facts: object) -> Iterator[None]:
    """Assert that the block raises an InputError of one line.

    thing  its field `thing`
    facts  names and numbers in its fields `problem` and `fix`
    """
    with pytest.raises(InputError) as caught:
        yield
    assert_about(caught.value, thing, *facts)


def printed(errors: str) -> InputError:
    """Return the InputError that a command printed to standard error, which has no other line."""
    (line,) = errors.splitlines()
    assert line.startswith("epochbench: "), line
    thing, problem = line.removeprefix("epochbench: ").split(": ", 1)
    problem, _, fix = problem.rpartition("; ") if "; " in problem else (problem, "", "")
    return InputError(thing, problem, fix)


def assert_about(error: InputError, thing: object, *facts: object) -> None:
    assert error.thing == str(thing), error
    assert "\n" not in str(error)
    assert len(str(error)) < 400
    for fact in facts:
        assert str(fact) in f"{error.problem}; {error.fix}", error
