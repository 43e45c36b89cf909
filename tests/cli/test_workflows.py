"""The steps of the workflows, run as a runner would."""

import os
import re
import subprocess
import sys
import textwrap

import pytest

from tests.support.commands import ROOT
from tests.support.few_digits import FEW_DIGITS
from tests.support.gate import git, own_repository

# Stands for GitHub's command: lists the comments of a file, and writes what it is asked to do to another.
GH = """#!/bin/sh
echo "$*" >> calls
case "$*" in
*--paginate*) cat ids ;;
esac
"""


def block(file, step):
    """Return the shell script of a named step."""
    text = (ROOT / ".github" / "workflows" / file).read_text(encoding="utf-8")
    found = re.search(rf"- name: {step}\n(?:.*\n)*?        run: \|\n((?:          .*\n)+)", text)
    return textwrap.dedent(found[1])


@pytest.mark.skipif(sys.platform == "win32", reason="the job runs on Linux")
@pytest.mark.parametrize(
    ("ids", "method"), [("", "issues/7/comments -F body"), ("41\n42\n", "--method PATCH repos/o/r/issues/comments/41")]
)
def test_the_gate_keeps_one_comment(tmp_path, ids, method):
    for name, text in (("gh", GH), ("ids", ids), ("comment.md", "<!-- epochbench gate -->\ntext")):
        (tmp_path / name).write_text(text)
    (tmp_path / "gh").chmod(0o755)
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "GITHUB_REPOSITORY": "o/r", "NUMBER": "7"}
    subprocess.run(
        ["bash", "-eo", "pipefail", "-c", block("gate.yml", "Write one comment, or renew it")], cwd=tmp_path, env=environment, check=True
    )
    listed, written = (tmp_path / "calls").read_text().splitlines()
    assert "startswith" in listed
    assert method in written
    assert "body=@comment.md" in written


@pytest.mark.live
@pytest.mark.skipif(sys.platform == "win32", reason="the job runs on Linux")
def test_the_steps_for_another_repository_judge_its_trainer(tmp_path):
    page = (ROOT / "bench" / "README.md").read_text(encoding="utf-8")
    install, *steps = re.findall(r"^ +- run: (.*)", page, re.MULTILINE)
    assert install.startswith("pip install ")
    other = tmp_path / "other"
    other.mkdir()
    mine = own_repository(other, "from impls.matrix import Matrix\n\n\nclass Mine(Matrix):\n    label = 1\n")
    git(other, "update-ref", "refs/remotes/origin/base", "HEAD")
    mine.write_text(
        f"import time\n{mine.read_text()}\n    def _setup(self, data):\n        super()._setup(data)\n        time.sleep(0.1)\n"
    )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "epochbench").write_text(f'#!/bin/sh\nexec {sys.executable} -m bench "$@"\n')
    (tmp_path / "bin" / "epochbench").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "GITHUB_BASE_REF": "base",
    }
    codes = []
    for step in steps:
        command = f"{step.replace('my_module:MyTrainer', 'mine:Mine')} --examples 500 --data {FEW_DIGITS}"
        done = subprocess.run(["bash", "-c", command], cwd=other, env=environment, capture_output=True, text=True, check=False)
        codes.append(done.returncode)
    assert codes == [1, 0], done.stderr
    assert "| slower to start |" in (other / "gate.md").read_text(encoding="utf-8")
