"""A machine whose processes are played."""

import pytest

from tests.support.contribute import play


@pytest.fixture
def machine(monkeypatch, mnist):
    """A machine on which trainers take known times."""
    return play(monkeypatch, mnist)
