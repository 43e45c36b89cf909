"""Fixtures that several files need."""

import os
import signal

import numpy as np
import pytest

import impls
from bench.machine import affinity
from tests.support import commands, few_digits  # noqa: F401 (commands reads which worker this is, before that is removed below)

pytest_plugins = ["pytester"]

# What tests start is no worker of pytest-xdist: pytest-benchmark would measure nothing in one.
for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
    os.environ.pop(name, None)


few_digits.write()


SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM") if hasattr(signal, name)]


@pytest.fixture(scope="session", autouse=True)
def children_without_hypothesis():
    """Spare every pytest that a test starts a second: Hypothesis's plugin imports all of Hypothesis at the end of any run."""
    os.environ["PYTEST_ADDOPTS"] = "-p no:hypothesispytest"


@pytest.fixture(autouse=True)
def process_state():
    """Restore what a command that a test calls in this process changes: signal handlers, thread variables, processors."""
    handlers, variables = {number: signal.getsignal(number) for number in SIGNALS}, dict(os.environ)
    processors = affinity.processors()
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    for name in os.environ.keys() - variables.keys() - {"PYTEST_CURRENT_TEST"}:
        del os.environ[name]
    os.environ.update((name, value) for name, value in variables.items() if name != "PYTEST_CURRENT_TEST")
    if affinity.processors() != processors:
        affinity.pin(processors)


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
