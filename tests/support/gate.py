"""Git repositories for the tests of `gate`, and the command in one of them."""

import os
import subprocess

from tests.support.commands import command
from tests.support.few_digits import FEW_DIGITS

# A clear difference is decided in 10 s, but not if other programs use the machine.
QUICK = ("--examples", "500", "--seconds", "60", "--data", str(FEW_DIGITS))


def git(repository, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *who, *arguments], cwd=repository, check=True, capture_output=True, text=True).stdout


def own_repository(directory, module):
    """Make a repository that contains only mine.py and return that file."""
    mine = directory / "mine.py"
    mine.write_text(module)
    git(directory, "init", "--quiet", "-b", "main")
    git(directory, "add", ".")
    git(directory, "commit", "--quiet", "-m", "main")
    return mine


def run_gate(repository, *arguments, **environment):
    env = {name: value for name, value in os.environ.items() if name != "GITHUB_STEP_SUMMARY"} | environment
    return command("gate", *arguments, cwd=repository, env=env)
