"""A file that is written whole: what a link and a pipe become. That a full disk leaves what was there is in test_interrupted_runs."""

import os
import stat

import pytest

from bench.system import files


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_link_stays_and_leads_to_what_was_written(tmp_path):
    page, link = tmp_path / "page.html", tmp_path / "latest.html"
    page.write_text("before", encoding="utf-8")
    link.symlink_to(page)
    files.atomic_write(link, "after")
    assert page.read_text(encoding="utf-8") == "after"
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest.html", "page.html"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        files.atomic_write(pipe, "for whoever reads")
        assert os.read(reader, 100) == b"for whoever reads"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
