"""Fixture: a machine with simulated processes."""

import pytest

from tests.support.contribute import simulate


@pytest.fixture
def machine(monkeypatch, mnist):
    """A machine on which the epochs of each trainer take a known time."""
    return simulate(monkeypatch, mnist)
