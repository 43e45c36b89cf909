"""The kernels of `webgpu`: their WGSL from shaders/, the shapes of their tiles, and their compilation."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import wgpu

from impls.errors import Unsupported

_SHADERS = Path(__file__).parent / "shaders"
_TYPES = {"float32": "f32", "float64": "f64"}
_STRUCTURE = 32  # bytes of a structure, at most
_NARROW = 4  # rows and columns of a tile of product_narrow.wgsl
_WORKGROUP_BYTES = 1 << 14  # that every adapter has
_LARGEST_GRID = (1 << 16) - 1  # workgroups in a direction, as every adapter allows
_LONGEST_STRIPE = 32
_SHARED = {"forward": ("below", "weighted_input"), "output": ("below", "weighted_input"), "update": ("below",)}  # other files of a kernel
_ALONG_DEPTH = ("forward", "output")  # the kernels whose factors both have the common dimension in neighbouring places
_LONG, _FEW = 128, 1 << 14  # places of the common dimension, and elements of the product, for product_narrow.wgsl


class Tile(NamedTuple):
    """A tile of product.wgsl: the blocks of 4 x 4 elements of a thread, and the threads of a workgroup."""

    high: int
    wide: int
    down: int
    across: int

    @property
    def rows(self) -> int:
        """Rows of the tile."""
        return 4 * self.high * self.down

    @property
    def columns(self) -> int:
        """Columns of the tile."""
        return 4 * self.wide * self.across

    def stripe(self, depth: int, itemsize: int) -> int:
        """Return how many places of the common dimension fit a workgroup's memory, but not more than are needed."""
        return min(_WORKGROUP_BYTES // ((self.rows + self.columns) * itemsize), _LONGEST_STRIPE, -(-depth // 4) * 4)


# In ascending size, with at most 256 threads, as every adapter has. The last is for software, where a read from a workgroup's memory takes
# longer than arithmetic.
TILES = (Tile(1, 1, 8, 8), Tile(1, 1, 16, 16), Tile(2, 2, 16, 16), Tile(4, 4, 8, 8))


class Product(NamedTuple):
    """The shape of a kernel's matrix product: rows x depth times depth x columns."""

    rows: int
    depth: int
    columns: int

    def tiles(self, name: str, most_sums: int) -> Sequence[Tile | None]:
        """Return the tiles that are worth trying, in ascending size. None: product_narrow.wgsl

        name       of the kernel
        most_sums  of a thread
        Tiles of few elements with long sums would leave most of a GPU idle. product_narrow.wgsl then divides the sums, if both factors have
        the common dimension in neighbouring places. It adds in another order, so time must not decide about it.
        """
        if name in _ALONG_DEPTH and self.depth >= _LONG and self.rows * self.columns <= _FEW:
            return [None]
        others = (tile for tile in TILES[1:] if 16 * tile.high * tile.wide <= most_sums)
        return [TILES[0], *(tile for tile in others if tile.rows <= self.rows and tile.columns <= self.columns)]


@dataclass(frozen=True)
class Kernel:
    """A compiled kernel with its arrays and its grid of workgroups."""

    pipeline: Any
    arrays: Any
    grid: tuple[int, int]

    def dispatch(self, commands: Any) -> None:
        """Encode the kernel in a compute pass."""
        commands.set_pipeline(self.pipeline)
        commands.set_bind_group(1, self.arrays)
        commands.dispatch_workgroups(*self.grid)


class Compiler:
    """Compiles kernels for a device. They share the layout of their first bind group: a structure in a uniform buffer.

    aligned  bytes from one structure to the next, as every adapter allows
    """

    aligned: ClassVar[int] = 256

    def __init__(self, device: Any, dtype: str) -> None:
        self._device = device
        self._type, self._itemsize = _TYPES[dtype], np.dtype(dtype).itemsize
        self._sigmoid = ("sigmoid", f"exponential_{dtype}")
        uniform = {"type": "uniform", "has_dynamic_offset": True}
        self.first = device.create_bind_group_layout(entries=[{"binding": 0, "visibility": wgpu.ShaderStage.COMPUTE, "buffer": uniform}])

    def uniform(self, table: Any) -> Any:
        """Return a bind group of the structures in a uniform buffer. An offset, a multiple of `aligned`, selects one."""
        resource = {"buffer": table, "offset": 0, "size": _STRUCTURE}
        return self._device.create_bind_group(layout=self.first, entries=[{"binding": 0, "resource": resource}])

    def product(self, name: str, shape: Product, tile: Tile | None, arrays: Sequence[Any], **constants: int | bool) -> Kernel:
        """Compile a kernel around a matrix product. tile: of product.wgsl; None: use product_narrow.wgsl"""
        files = ["mini_batch", *_SHARED.get(name, ()), name, *self._sigmoid]
        if tile is None:
            return self._compile([*files, "product_narrow"], arrays, _grid(shape, _NARROW, _NARROW), constants)
        sizes = {key.upper(): value for key, value in tile._asdict().items()} | {"STRIPE": tile.stripe(shape.depth, self._itemsize)}
        along = {"LEFT_ALONG_DEPTH": name != "update", "RIGHT_ALONG_DEPTH": name in _ALONG_DEPTH}
        loops = {"i": range(tile.high), "j": range(tile.wide)}
        return self._compile([*files, "product"], arrays, _grid(shape, tile.rows, tile.columns), constants | sizes | along, loops=loops)

    def gather(self, arrays: Sequence[Any], rows: int, **constants: int) -> Kernel:
        """Compile the kernel that gathers images. rows: at most in a dispatch"""
        return self._compile(["stretch", "gather"], arrays, (min(rows, 1 << 12), 1), constants)

    def _compile(
        self,
        files: Sequence[str],
        arrays: Sequence[Any],
        grid: tuple[int, int],
        constants: Mapping[str, int | bool],
        *,
        loops: Mapping[str, Sequence[int]] | None = None,
    ) -> Kernel:
        lines = [f"alias T = {self._type};", *(_constant(name, value) for name, value in constants.items()), *map(_read, files)]
        code = _unrolled("\n".join(lines), loops or {})
        device = self._device
        access = dict(re.findall(r"@group\(1\) @binding\((\d+)\) var<storage, (\w+)>", code))
        types = {"read": "read-only-storage", "read_write": "storage"}
        entries = [
            {"binding": int(binding), "visibility": wgpu.ShaderStage.COMPUTE, "buffer": {"type": types[how]}}
            for binding, how in sorted(access.items())
        ]
        second = device.create_bind_group_layout(entries=entries)
        pipeline = device.create_compute_pipeline(
            layout=device.create_pipeline_layout(bind_group_layouts=[self.first, second]),
            compute={"module": device.create_shader_module(code=code), "entry_point": "main"},
        )
        bound = [{"binding": number, "resource": {"buffer": array, "offset": 0, "size": array.size}} for number, array in enumerate(arrays)]
        return Kernel(pipeline, device.create_bind_group(layout=second, entries=bound), grid)


def _read(name: str) -> str:
    return (_SHADERS / f"{name}.wgsl").read_text(encoding="utf-8")


def _constant(name: str, value: int | bool) -> str:
    return f"const {name} = {str(value).lower() if isinstance(value, bool) else f'{value}u'};"


def _grid(shape: Product, rows: int, columns: int) -> tuple[int, int]:
    grid = -(-shape.columns // columns), -(-shape.rows // rows)
    if max(grid) > _LARGEST_GRID:
        raise Unsupported(f"webgpu: {max(grid):,} workgroups, and the limit is {_LARGEST_GRID:,}; use matrix")
    return grid


def _unrolled(code: str, loops: Mapping[str, Sequence[int]]) -> str:
    """Repeat each line that ends with "// for i" for all values of i, and one with "// for i, j" for all of both.

    In the line, i becomes such as 2u, and _i in a name becomes _2. loops: the values of each letter
    """
    lines = []
    for line in code.splitlines():
        if not (found := re.search(r"// for (\w(?:, \w)*)$", line)):
            lines.append(line)
            continue
        letters = found[1].split(", ")
        for values in itertools.product(*(loops[letter] for letter in letters)):
            repeated = line[: found.start()].rstrip()
            for letter, value in zip(letters, values, strict=True):
                repeated = re.sub(rf"_{letter}(?=_|\b)", f"_{value}", repeated)
                repeated = re.sub(rf"\b{letter}\b", f"{value}u", repeated)
            lines.append(repeated)
    return "\n".join(lines)
