"""Tests of scratch directories: removed at the end, or after a kill by the next process."""

import signal
import subprocess
import sys
import tempfile

import pytest

from bench.system.scratch import scratch_dir

HOLD = """
import sys
from bench.system.scratch import scratch_dir
with scratch_dir() as directory:
    (directory / "file").write_text("content")
    print(directory, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def parent(tmp_path, monkeypatch):
    """Return the directory in which scratch directories are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def holder(parent):
    """Start a process that keeps a scratch directory until its stdin is closed. Wait until the directory exists."""
    code = f"import tempfile; tempfile.tempdir = {str(parent)!r}\n{HOLD}"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith(str(parent))
    return process


def test_a_scratch_directory_is_removed_at_the_end_of_code_that_fails(parent):
    with pytest.raises(FileExistsError), scratch_dir() as directory:
        directory.mkdir()
    assert list(parent.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_only_the_directory_of_a_killed_process_is_removed(parent):
    (parent / "epochbench-of-mine").mkdir()  # without a lock file
    with holder(parent) as alive, holder(parent) as killed:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert len(list(parent.iterdir())) == 3
        with scratch_dir() as directory:
            (kept,) = {path for path in parent.iterdir() if path not in (directory, parent / "epochbench-of-mine")}
            assert (kept / "file").read_text() == "content"
        alive.stdin.close()
        assert alive.wait() == 0
    assert [path.name for path in parent.iterdir()] == ["epochbench-of-mine"]
