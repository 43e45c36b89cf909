"""Tests of atomic file writes to links and pipes. test_interrupted_runs.py tests a full disk."""

import os
import stat

import pytest

from bench.system import files


@pytest.mark.skipif(os.name == "nt", reason="on Windows, links need a privilege")
def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    page, link = tmp_path / "page.html", tmp_path / "latest.html"
    page.write_text("before", encoding="utf-8")
    link.symlink_to(page)
    files.atomic_write(link, "after")
    assert page.read_text(encoding="utf-8") == "after"
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest.html", "page.html"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        files.atomic_write(pipe, "content")
        assert os.read(reader, 100) == b"content"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
