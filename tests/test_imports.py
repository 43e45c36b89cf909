"""Imports run one way, tests -> bench -> impls, and heavy libraries stay where they are used."""

import ast
import subprocess
import sys

import pytest

from tests.doors import ROOT

FILES = sorted(path.relative_to(ROOT) for room in ("impls", "bench") for path in (ROOT / room).rglob("*.py"))
# The files of trainers, and of which other trainers' files each may import: those that it specialises.
TRAINER_FILES = {
    "loop": (),
    "matrix": (),
    "compiled": ("simd",),
    "gpu": ("matrix",),
    "gpu_kernels": ("gpu",),
    "gpu_graph": ("gpu_kernels", "gpu_launch"),
    "gpu_fused": ("gpu_kernels",),
    "mpi": ("matrix",),
    "mpi_gpu": ("mpi", "gpu"),
    "jax_scan": (),
    "torch_eager": (),
    "torch_graph": ("peers",),
}


def imports(path):
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def allowed(path, name):
    top = name.split(".")[0]
    if top == "tests" or (path.parts[0] == "impls" and top in {"bench", "pytest", "pandas", "psutil", "rich"}):
        return False
    if top == "cupy":
        return "gpu" in path.stem
    if top in {"jax", "torch"}:
        return "peers" in path.parts
    if top == "mpi4py":
        return path.stem in {"mpi", "mpi_gpu", "scaling"}
    if top == "matplotlib":
        return path.parent.name == "plot" or path.stem == "report"
    if path.parts[0] == "impls" and path.stem in TRAINER_FILES and top == "impls":
        return name.split(".")[1] in {"trainer", "network", "dataset", "errors", "aligned", *TRAINER_FILES[path.stem]}
    return True


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_run_one_way(path):
    assert [name for name in imports(path) if not allowed(path, name)] == []


@pytest.mark.parametrize("program", ["import bench, impls", "import sys, bench.__main__ as m; sys.argv = ['x']; m._parser()"])
def test_heavy_libraries_load_only_where_they_are_used(program):
    heavy = ["pandas", "matplotlib", "cupy", "pytest", "rich", "scipy", "numba", "torch", "jax"]
    check = f"{program}\nimport sys\nprint([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True).stdout == "[]\n"
