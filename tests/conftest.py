"""Fixtures for several test files."""

import os
import signal

import numpy as np
import pytest

import impls
from bench.machine import affinity
from tests.support import commands, few_digits  # noqa: F401 (commands reads the worker's number before the loop below removes it)

pytest_plugins = ["pytester"]

# A process that a test starts is not a worker of pytest-xdist: in a worker, pytest-benchmark measures nothing.
for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
    os.environ.pop(name, None)


few_digits.write()


def pytest_configure(config):
    """Make each warning an error in the tests. In a measurement, a warning of a user's plugin or library must not end the run."""
    config.getini("filterwarnings").insert(0, "error")


SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGUSR2") if hasattr(signal, name)]


@pytest.fixture(scope="session", autouse=True)
def children_without_hypothesis():
    """Disable Hypothesis's plugin in every pytest that a test starts: it imports all of Hypothesis, which takes a second per run."""
    os.environ["PYTEST_ADDOPTS"] = "-p no:hypothesispytest"


@pytest.fixture(autouse=True)
def process_state():
    """Restore the process state that a command changes if a test calls it: signal handlers, environment variables, CPU affinity."""
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
    """Return the embedded digits, read-only."""
    splits = impls.mnist()
    for data in splits:
        data.images.flags.writeable = data.labels.flags.writeable = False
    return splits


@pytest.fixture
def small():
    """Return 23 examples of 6 pixels in 3 classes."""
    rng = np.random.default_rng(7)
    return impls.Dataset(rng.random((23, 6)), rng.integers(0, 3, 23), classes=3)
