"""Fixtures that several files need."""

import os

import numpy as np
import pytest

import impls

pytest_plugins = ["pytester"]

# What tests start is no worker of pytest-xdist: pytest-benchmark would measure nothing in one.
for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def mnist():
    """The embedded digits; nobody changes them."""
    splits = impls.mnist()
    for data in splits:
        data.images.flags.writeable = data.labels.flags.writeable = False
    return splits


@pytest.fixture
def small():
    """Twenty-three examples of six pixels in three classes."""
    rng = np.random.default_rng(7)
    return impls.Dataset(rng.random((23, 6)), rng.integers(0, 3, 23), classes=3)
