"""Environments with other versions of a package."""

import os
import subprocess
from pathlib import Path

import pytest

from bench.paired import environment
from bench.paired.environment import interpreter, name_of, releases
from tests.support.refusals import refused


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, for the environments."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    return tmp_path / "cache"


def without_uv(monkeypatch):
    """Let uv not be found."""
    monkeypatch.setattr(environment, "_uv", lambda: None)


@pytest.mark.parametrize(
    ("requirement", "package"),
    [("numpy==2.1.*", "numpy"), ("Scikit_Learn>=1", "scikit-learn"), ("jax[cpu] ==0.4.31", "jax"), ("torch", "torch")],
)
def test_the_package_of_a_requirement(requirement, package):
    assert name_of(requirement) == package


def test_no_requirement_is_refused():
    with refused("==2.1", "numpy==2.1"):
        name_of("==2.1")


@pytest.mark.parametrize("given", ["numpy", "numpy==2.1", "numpy==2.1..", "numpy>=2.1..2.4"])
def test_no_range_of_releases_is_refused(given):
    with refused(given, "PACKAGE==FIRST..LAST"):
        releases(given)


@pytest.mark.parametrize("uv", [True, False], ids=["uv", "pip"])
def test_without_a_network_it_is_said_and_nothing_is_left(cache, monkeypatch, uv):
    if not uv:
        without_uv(monkeypatch)
    nowhere = "http://127.0.0.1:9/simple"
    for name, value in {"UV_DEFAULT_INDEX": nowhere, "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0", "PIP_INDEX_URL": nowhere}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    with refused("psutil==6.1.1", "network"):
        interpreter(["psutil==6.1.1"], "matrix")
    assert not [path for path in cache.rglob("*") if path.name == "pyvenv.cfg"]


@pytest.mark.live
def test_an_environment_is_made_once_and_has_the_version(cache):
    python = interpreter(["psutil==6.1.1"], "matrix")
    told = subprocess.run([python, "-c", "import numpy, psutil; print(psutil.__version__)"], capture_output=True, text=True, check=True)
    assert told.stdout == "6.1.1\n"
    made = Path(python).parents[1].stat().st_mtime_ns
    assert interpreter(["psutil==6.1.1"], "matrix") == python
    assert Path(python).parents[1].stat().st_mtime_ns == made
    with refused("psutil==0.0.1", "cannot be installed"):
        interpreter(["psutil==0.0.1"], "matrix")


@pytest.mark.live
def test_the_releases_of_a_package_are_those_of_the_index_in_order():
    found = releases("psutil==6.0..6.1")
    assert found.versions[0] == "6.0.0"
    assert found.versions[-1] == "6.1.1"
    assert list(found.versions) == sorted(found.versions)
