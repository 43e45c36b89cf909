"""Temporary rooms: removed at the end, and by the next process if their own was killed."""

import signal
import subprocess
import sys
import tempfile

import pytest

from bench.system.scratch import scratch_dir

HOLD = """
import sys
from bench.system.scratch import scratch_dir
with scratch_dir() as place:
    (place / "something").write_text("in it")
    print(place, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def parent(tmp_path, monkeypatch):
    """The directory in which rooms are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def holder(parent):
    """Start a process that holds a scratch directory until its input ends; wait until it does."""
    code = f"import tempfile; tempfile.tempdir = {str(parent)!r}\n{HOLD}"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith(str(parent))
    return process


def test_a_scratch_directory_is_removed_at_the_end_of_code_that_fails(parent):
    with pytest.raises(FileExistsError), scratch_dir() as directory:
        directory.mkdir()
    assert list(parent.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such lock")
def test_what_a_killed_process_left_is_swept_and_nothing_else(parent):
    (parent / "epochbench-of-mine").mkdir()  # nobody ever held a lock in it
    with holder(parent) as alive, holder(parent) as killed:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert len(list(parent.iterdir())) == 3
        with scratch_dir() as directory:
            left = {path for path in parent.iterdir() if path not in (directory, parent / "epochbench-of-mine")}
            (held,) = left
            assert (held / "something").read_text() == "in it"
        alive.stdin.close()
        assert alive.wait() == 0
    assert [path.name for path in parent.iterdir()] == ["epochbench-of-mine"]
