"""Interchangeable trainers of one small neural network, and datasets for it.

from impls import Dataset, Network, load_trainer

data = Dataset(images, labels)  # (m, pixels) floats, (m,) integers
network = Network.gaussian([784, 30, 10], seed=0)
trainer = load_trainer("matrix")(network, data, batch_size=10, learning_rate=3.0)
trainer.train_epoch(data.order(seed=0))
trainer.network().accuracy(data)
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from impls.errors import InputError, Unsupported, unknown
from impls.extras import install

if TYPE_CHECKING:
    from impls.dataset import Dataset, Splits, mnist, read_directory
    from impls.idx import read_idx
    from impls.network import Network
    from impls.trainer import Trainer

__all__ = [
    "TRAINERS",
    "Dataset",
    "InputError",
    "Network",
    "Splits",
    "Trainer",
    "Unsupported",
    "load_trainer",
    "locate",
    "mnist",
    "read_directory",
    "read_idx",
    "unavailable",
]

# The ladder, slowest first, then the frameworks to compare with. The tests and the bench run every trainer in this table, and
# bench/plot/palette.py has a colour for each. The entries are strings, so that a trainer's libraries load only when it is used.
TRAINERS = {
    "loop": "impls.loop:Loop",
    "matrix": "impls.matrix:Matrix",
    "matrix_tuned": "impls.matrix_tuned:MatrixTuned",
    "compiled": "impls.compiled:Compiled",
    "gpu": "impls.gpu:Gpu",
    "gpu_tuned": "impls.gpu_tuned:GpuTuned",
    "gpu_graph": "impls.gpu_graph:GpuGraph",
    "gpu_fused": "impls.gpu_fused:GpuFused",
    "gpu_lookahead": "impls.gpu_lookahead:GpuLookahead",
    "webgpu": "impls.webgpu:WebGpu",
    "mpi": "impls.mpi:Mpi",
    "mpi_gpu": "impls.mpi_gpu:MpiGpu",
    "jax_cpu": "impls.peers.jax_scan:JaxCpu",
    "jax_gpu": "impls.peers.jax_scan:JaxGpu",
    "torch_cpu": "impls.peers.torch_eager:TorchCpu",
    "torch_gpu": "impls.peers.torch_eager:TorchGpu",
    "torch_graph": "impls.peers.torch_graph:TorchGraph",
    "torch_compile": "impls.peers.torch_compile:TorchCompile",
    "mlx": "impls.peers.mlx_compiled:Mlx",
}

# The other public names, with their modules. They are imported on first use, because a command's --help does not need NumPy.
_LAZY = {
    **dict.fromkeys(("Dataset", "Splits", "mnist", "read_directory"), "impls.dataset"),
    "Network": "impls.network",
    "read_idx": "impls.idx",
    "Trainer": "impls.trainer",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_LAZY[name]), name)
    return value


# The optional libraries, each with the extra that installs it.
EXTRAS = {"numba": "compiled", "jax": "peers", "torch": "peers", "mpi4py": "mpi", "wgpu": "webgpu", "mlx": "mlx"}


def locate(name: str) -> tuple[str, str]:
    """Return the module name and the class name of a trainer, without importing it.

    name  a name in TRAINERS, or "module:Class"

    Raises InputError for any other name.
    """
    file, _, in_file = name.rpartition(":")
    if file.endswith(".py"):
        raise InputError(f"trainer {name!r}", "names a file", f"give its module, such as {_module_of(file)}:{in_file}")
    module, colon, class_name = TRAINERS.get(name, name).partition(":")
    if not colon:
        raise unknown("trainer", name, TRAINERS, otherwise=", or give module:Class")
    return module, class_name


def _module_of(file: str) -> str:
    """Return the name of the module in a file. Outside the current directory, it is the name for the file's own directory."""
    parts = [part for part in re.split(r"[/\\]", file.removesuffix(".py")) if part not in ("", ".")]
    inside = file[0] not in "/\\" and all(part.isidentifier() for part in parts)
    return ".".join(parts) if inside else parts[-1]


def unavailable(name: str) -> str | None:
    """Return why the trainer cannot run on this machine, with the command that fixes it, or None if it can run."""
    try:
        kind = load_trainer(name)
    except Unsupported as reason:
        return str(reason)
    try:
        with _warnings_are_not_errors():
            return kind.unavailable()
    except Exception as error:  # a library may raise anything when it looks for a device
        return f"its check for a device raised {type(error).__name__}: {error}"


def load_trainer(name: str) -> type[Trainer]:
    """Import a trainer's module, which runs the code of that module, and return the trainer's class.

    name  a name in TRAINERS, or "module:Class"

    Raises InputError if the name, module or class does not exist, or if the class is not a Trainer.
    Raises Unsupported if a library that the trainer needs is not installed or does not load.
    """
    module_name, class_name = locate(name)
    try:
        with _warnings_are_not_errors():
            kind = attrgetter(class_name)(importlib.import_module(module_name))  # "Outer.Inner" is a class in a class
    except (Exception, SystemExit) as error:  # another author's module may raise anything at import
        if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
            raise Unsupported(f"{error.name} is not installed: {install(EXTRAS[error.name])}") from error
        ours = isinstance(error, ImportError) and (error.name or "").partition(".")[0] == __name__
        if name in TRAINERS and not ours and isinstance(error, (ImportError, OSError, RuntimeError)):  # from a library
            raise Unsupported(f"{name}: a library does not load: {type(error).__name__}: {error}") from error
        raise InputError(f"trainer {name!r}", f"cannot be imported: {type(error).__name__}: {error}") from error
    from impls.trainer import Trainer

    if not (isinstance(kind, type) and issubclass(kind, Trainer)):
        raise InputError(f"trainer {name!r}", "not a subclass of impls.Trainer", "derive the class from it")
    return kind


@contextmanager
def _warnings_are_not_errors() -> Iterator[None]:
    """Keep the warnings of a trainer's libraries from becoming errors. Libraries warn at import and when they look for a device."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield
