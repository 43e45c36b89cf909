"""Interchangeable trainers of one small neural network, and the data to train it on.

from impls import Dataset, Network, load_trainer

data = Dataset(images, labels)  # (m, pixels) floats, (m,) integers
network = Network.gaussian([784, 30, 10], seed=0)
trainer = load_trainer("matrix")(network, data, batch_size=10, learning_rate=3.0)
trainer.train_epoch(data.order(seed=0))
trainer.network().accuracy(data)
"""

from __future__ import annotations

import importlib

from impls.dataset import Dataset, Splits, mnist, read_directory, read_idx
from impls.errors import InputError, Unsupported, unknown
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
    "mnist",
    "place",
    "read_directory",
    "read_idx",
]

# The ladder, lowest rung first. Named as text so that a trainer's libraries load only when it is asked for.
TRAINERS = {
    "loop": "impls.loop:Loop",
    "matrix": "impls.matrix:Matrix",
    "gpu": "impls.gpu:Gpu",
    "gpu_graph": "impls.gpu_graph:GpuGraph",
    "gpu_fused": "impls.gpu_fused:GpuFused",
}


def place(name: str) -> tuple[str, str]:
    """Return the module and the class of the trainer of that name, or those that "module:Class" names. Nothing is imported.

    Raises InputError if there is no such name.
    """
    module, colon, class_name = TRAINERS.get(name, name).partition(":")
    if not colon:
        raise unknown("trainer", name, TRAINERS, otherwise=", or give module:Class")
    return module, class_name


def load_trainer(name: str) -> type[Trainer]:
    """Return the trainer of that name, or the one at "module:Class", which is imported and so runs that module's code.

    Raises InputError if there is no such name, module or class, or the class is no Trainer.
    """
    module_name, class_name = place(name)
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:  # a stranger's module may raise anything at import
        raise InputError(f"trainer {name!r} cannot be imported: {type(error).__name__}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Trainer)):
        raise InputError(f"trainer {name!r} is no subclass of impls.Trainer")
    return found
