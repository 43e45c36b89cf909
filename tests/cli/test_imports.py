"""Lazy imports of heavy libraries, and the length of source files. `lint-imports` checks which package may import which."""

import subprocess
import sys

import pytest

from tests.support.commands import ROOT


@pytest.mark.parametrize("program", ["import bench, impls", "import bench.__main__ as m; m._parser().format_help()"])
def test_heavy_libraries_load_only_where_they_are_used(program):
    heavy = ["numpy", "pandas", "matplotlib", "cupy", "pytest", "rich", "scipy", "numba", "torch", "jax"]
    check = f"{program}\nimport sys\nprint([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_no_source_file_is_longer_than_300_lines():
    files = [path for folder in ("bench", "impls", "tests", "results") for path in (ROOT / folder).rglob("*")]
    sources = [path for path in files if path.suffix in {".py", ".cu", ".cuh", ".cpp", ".h", ".html", ".css", ".js"}]
    sources.remove(ROOT / "results" / "index.html")  # the page, which a program writes
    assert {path.name for path in sources if len(path.read_text(encoding="utf-8").splitlines()) > 300} == set()
