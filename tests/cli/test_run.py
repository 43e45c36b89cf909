"""`epochbench run` in a directory of a user: a package, tests and a pytest configuration of their own."""

import pytest

from bench import records
from tests.support.commands import QUICK, installed


@pytest.fixture
def project(tmp_path):
    """Return a directory with a trainer, and with everything that could disturb pytest or the imports."""
    imports = "from impls.matrix import Matrix\nfrom impls.sizes import SIZE\nimport bench.sizes\nassert bench.sizes.SIZE == SIZE == 1\n"
    (tmp_path / "mine.py").write_text(f"{imports}\nclass Mine(Matrix):\n    pass\n")
    (tmp_path / "conftest.py").write_text("def pytest_addoption(parser):\n    parser.addoption('--seed')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --an-option-of-another-plugin\n")
    for package in ("bench", "impls", "tests"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(f"raise ImportError('this is the {package} of the user')\n")
        (tmp_path / package / "sizes.py").write_text("SIZE = 1\n")
    return tmp_path


def epochbench(directory, *arguments):
    """Run the installed command, which does not have the current directory on its path."""
    return installed("run", *arguments, cwd=directory)


def test_a_run_neither_disturbs_the_directory_nor_is_disturbed(project):
    before = {path for path in project.rglob("*") if "__pycache__" not in path.parts}
    output = epochbench(project, *QUICK, "--trainers", "matrix,mine:Mine", "--no-charts", "--seed", "1")
    assert output.returncode == 0, output.stdout + output.stderr
    (csv,) = (project / "results" / "local").iterdir()
    assert set(records.read([csv])["trainer"]) == {"matrix", "mine:Mine"}
    after = {path for path in project.rglob("*") if "__pycache__" not in path.parts}
    assert after - before == {project / "results", project / "results" / "local", csv}


def test_the_arguments_and_the_exit_code_are_those_of_pytest(tmp_path):
    assert epochbench(tmp_path, "--trainers", "matrx").returncode == pytest.ExitCode.USAGE_ERROR
    helped = epochbench(tmp_path, "--help").stdout
    assert "--trainers" in helped
    assert "--collect-only" in helped
