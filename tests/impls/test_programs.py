"""The commands in hints: the user can type them as they stand, in an activated environment or not."""

import os
import sys
from pathlib import Path

import pytest

from impls import extras, programs
from impls.extras import install


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Return the directory of programs of a virtual environment that is not activated. The current directory is above it."""
    there = tmp_path / "my checkout" / ".venv" / "bin"
    there.mkdir(parents=True)
    for name in ("python.exe", "pip.exe") if os.name == "nt" else ("python", "pip"):
        (there / name).touch(0o755)
    monkeypatch.setattr(sys, "executable", str(there / "python"))
    monkeypatch.setattr(sys, "prefix", str(there.parent))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.chdir(there.parents[1])
    return there


def test_a_program_has_its_path_if_the_environment_is_not_activated(environment):
    assert programs.call("pip").lower().removesuffix(".exe") == str(Path(".venv", "bin", "pip"))


def test_a_program_has_its_name_if_the_environment_is_activated(environment, monkeypatch):
    monkeypatch.setenv("PATH", str(environment), prepend=os.pathsep)
    assert programs.call("pip") == "pip"


@pytest.mark.skipif(os.name == "nt", reason="quotes as a Unix shell does")
def test_a_program_elsewhere_has_its_whole_path_in_quotes(environment, monkeypatch, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert programs.call("pip") == f"'{environment / 'pip'}'"


def test_a_program_that_the_environment_lacks_is_not_named(environment):
    assert programs.call("epochbench") is None


def test_an_environment_of_uv_has_no_pip(environment):
    for pip in environment.glob("pip*"):
        pip.unlink()
    assert programs.pip() == f"{programs.python()} -m pip"
    (environment.parent / "pyvenv.cfg").write_text("home = /usr\nuv = 0.9.1\n")
    assert programs.pip() == "uv pip"


def test_an_extra_is_installed_beside_the_checkout_and_not_as_a_copy_of_it(environment, monkeypatch):
    assert install("gpu").split(" -e ")[1].strip("'\"") == f"{extras._ROOT}[gpu]"
    monkeypatch.chdir(extras._ROOT)
    assert install("gpu").split(" -e ")[1].strip("'\"") == ".[gpu]"
