"""Tests of the CUDA kernels without a GPU: compilation for several devices, machine code, and emulation on the CPU."""

import re

import numpy as np
import pytest

from impls import Dataset, Network, load_trainer
from impls.gpu_fused import FusedFit
from impls.gpu_graph import GpuGraph
from impls.testing import relative_error, same_bits, trained
from tests.support import nvrtc
from tests.support.fake_cupy import Device
from tests.support.gpu.variants import with_threads
from tests.support.kernel_player import needs_compiler
from tests.support.nvrtc import needs_disassembler, needs_nvrtc
from tests.support.trainers_on_cpu import FusedOnCpu, GraphOnCpu, LookaheadOnCpu, UnbuiltFused, UnbuiltGraph, UnbuiltLookahead, asked_for

# Every architecture in float32. float64 only on the newest, because a compilation takes half a second or more.
FLOATS = [("float32", "75"), ("float32", "80"), ("float32", "90")]


def every_kernel_of_gpu_graph(dtype, capability, monkeypatch):
    """Return arguments of nvrtc.compiled for all kernels that gpu_graph can use."""
    tiles = GpuGraph.tiles[dtype]
    every = {
        *(f"{kernel}<{tile.high}, {tile.wide}, {tile.groups}>" for kernel in ("forward", "backward", "update") for tile in tiles),
        *(
            f"forward_narrow<{high}, {wide}, {vector}>"
            for high, wide in GpuGraph.narrow[dtype]
            for vector in (1, 16 // np.dtype(dtype).itemsize)
        ),
        *(f"output<{examples}>" for examples in (1, GpuGraph.examples_together)),
        "advance",
    }
    asked = set()
    for layers, batch_size in (([784, 30, 10], 10), ([784, 2048, 700, 100, 10], 2048)):
        code, options, kernels = asked_for(UnbuiltGraph, layers, batch_size, dtype, capability, monkeypatch)
        asked.update(kernels)
    assert asked <= every
    return code, f"sm_{capability}", options, every


@needs_nvrtc
@pytest.mark.parametrize(("dtype", "capability"), [*FLOATS, ("float64", "90")])
def test_the_kernels_of_gpu_graph_compile_without_spills(dtype, capability, monkeypatch):
    used = nvrtc.compiled(*every_kernel_of_gpu_graph(dtype, capability, monkeypatch))
    assert {name: kernel.spilled for name, kernel in used.items() if kernel.spilled} == {}


@needs_nvrtc
@pytest.mark.parametrize(
    ("layers", "batch_size", "dtype", "capability"),
    [([784, 30, 10], 10, *device) for device in FLOATS]
    + [([784, 100, 10], 100, "float32", capability) for capability in ("86", "90")]
    + [([784, 100, 10], 200, "float32", "90"), ([784, 50, 10], 120, "float64", "90")]  # with fewer threads, because of shared memory
    + [
        ([784, 16, 10], 10, "float32", "90"),
        ([784, 100, 10], 4, "float64", "90"),
        ([1500, 16, 10], 10, "float32", "90"),
        ([6, 4, 3], 200, "float64", "90"),
    ],
)
def test_the_kernel_of_gpu_fused_compiles_without_spills_and_uses_clusters_on_devices_with_clusters(
    layers, batch_size, dtype, capability, monkeypatch
):
    code, options, kernels = asked_for(UnbuiltFused, layers, batch_size, dtype, capability, monkeypatch)
    (kernel,) = nvrtc.compiled(code, f"sm_{capability}", options, kernels).values()
    assert kernel.spilled == 0
    assert kernel.cluster == (8 if capability == "90" else 1)


@needs_nvrtc
@pytest.mark.parametrize("threads", [128, 192])
def test_with_another_number_of_threads_the_job_wide_compiles_without_spills(threads, monkeypatch):
    code, options, kernels = asked_for(with_threads(UnbuiltFused, threads), [784, 100, 10], 100, "float32", "90", monkeypatch)
    (kernel,) = nvrtc.compiled(code, "sm_90", options, kernels).values()
    assert kernel.spilled == 0


@needs_nvrtc
@pytest.mark.parametrize(
    ("layers", "batch_size", "blocks", "dtype"),
    [
        ([784, 30, 10], 10, 14, "float32"),
        ([784, 30, 10], 10, 8, "float32"),
        ([784, 30, 10], 10, 8, "float64"),
        ([784, 60, 10], 5, 8, "float32"),
        ([6, 4, 3], 16, 14, "float32"),
    ],
)
def test_the_kernels_of_gpu_lookahead_compile_without_spills(layers, batch_size, blocks, dtype, monkeypatch):
    kind = type("OfSoManyBlocks", (UnbuiltLookahead,), {"blocks": (blocks,)})
    code, options, kernels = asked_for(kind, layers, batch_size, dtype, "90", monkeypatch)
    used = nvrtc.compiled(code, "sm_90", options, kernels).values()
    assert [kernel.spilled for kernel in used] == [0, 0]
    assert sorted(kernel.cluster for kernel in used) == [1, blocks]


@needs_nvrtc
def test_a_spill_is_detected():
    source = 'extern "C" __global__ void __launch_bounds__(1024) wide(float* p) { float v[200];\n#pragma unroll\n' + (
        "for (int i = 0; i < 200; i++) v[i] = p[i * 1024 + threadIdx.x];\n__syncthreads();\n#pragma unroll\n"
        "for (int i = 0; i < 200; i++) p[(199 - i) * 1024 + threadIdx.x] = v[i] * v[(i * 7) % 200]; }"
    )
    assert nvrtc.compiled(source, "sm_90", (), ("wide",))["wide"].spilled > 0


# Machine code: the order in which the compiler issues instructions


@needs_disassembler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_kernel_of_gpu_graph_waits_for_its_predecessor_before_it_writes_and_reads_coherently(dtype, monkeypatch):
    for kernel, code in nvrtc.disassembled(*every_kernel_of_gpu_graph(dtype, "90", monkeypatch)).items():
        names = [instruction.name for instruction in code]
        assert (names.count("PREEXIT"), names.count("ACQBULK")) == (1, 1), kernel  # launch_dependents and wait
        wait = names.index("ACQBULK")
        assert names.index("PREEXIT") < wait, kernel
        assert not any(instruction.stores for instruction in code[:wait]), kernel
        # A load through the constant cache could return a value from before the wait.
        assert not any(instruction.loads and ".CONSTANT" in instruction.name for instruction in code[wait:]), kernel


def loops_of(code):
    """Return the instructions of every loop, from the target of the backward branch to the branch; inner loops come first."""
    return sorted(
        (code[branch.target : i + 1] for i, branch in enumerate(code) if branch.target is not None and branch.target <= i), key=len
    )


# A load takes hundreds of cycles, so many loads must be in flight at once.
@needs_disassembler
@pytest.mark.parametrize("capability", ["75", "80", "90"])
@pytest.mark.parametrize(
    ("kernel", "loads"),
    [
        *((f"forward_narrow<{high}, {wide}, {vector}>", high + wide) for high, wide in GpuGraph.narrow["float32"] for vector in (1, 4)),
        ("output<1>", 6 * 2),  # AHEAD of layers.cu
        (f"output<{GpuGraph.examples_together}>", 4 * (GpuGraph.examples_together + 1)),
    ],
)
def test_a_thread_issues_all_reads_of_an_iteration_before_it_multiplies(kernel, loads, capability, monkeypatch):
    compiled = nvrtc.disassembled(*every_kernel_of_gpu_graph("float32", capability, monkeypatch))
    name, *sizes = re.findall(r"\w+", kernel)
    mangled = f"_Z{len(name)}{name}I{''.join(f'Li{size}E' for size in sizes)}E"
    (code,) = (code for name, code in compiled.items() if name.startswith(mangled))
    trips = [loop for loop in loops_of(code) if sum(instruction.loads for instruction in loop) == loads]
    assert trips
    multiplies = [i for i, instruction in enumerate(trips[0]) if instruction.multiplies]
    assert not any(instruction.loads for instruction in trips[0][multiplies[0] : multiplies[-1]])


def steps_of_gpu_fused(layers, batch_size, monkeypatch):
    """Return the loop over the steps, the indices of its barriers, and the index of the first wait for the other blocks."""
    code, options, kernels = asked_for(UnbuiltFused, layers, batch_size, "float32", "90", monkeypatch)
    (code,) = nvrtc.disassembled(code, "sm_90", options, kernels).values()
    loop = loops_of(code)[-1]
    barriers = [i for i, instruction in enumerate(loop) if instruction.name.startswith("BAR.")]
    wait = next(i for i, instruction in enumerate(loop) if ".TRYWAIT" in instruction.name)
    assert len(barriers) == 4
    return loop, barriers, wait


@needs_disassembler
def test_gpu_fused_loads_images_and_labels_before_its_blocks_wait_for_each_other(monkeypatch):
    loop, barriers, wait = steps_of_gpu_fused([784, 30, 10], 10, monkeypatch)
    loads = [i for i, instruction in enumerate(loop) if instruction.loads]
    # The branch of the wait. The GPU issues the instructions between `wait` and this branch without waiting.
    branch = next(i for i in range(wait, len(loop)) if loop[i].name == "BRA")
    assert sum(barriers[1] < i < branch for i in loads) == 4 * 10 + 1  # a thread's pixels of ten images, and a label
    assert sum(i < barriers[0] or i > branch for i in loads) == 0  # none where an instruction would have to wait for it


@needs_disassembler
@pytest.mark.parametrize(("layers", "batch_size", "sends"), [([784, 30, 10], 10, 1), ([784, 100, 10], 100, 8)])
def test_a_thread_of_gpu_fused_sends_its_result_to_several_blocks(layers, batch_size, sends, monkeypatch):
    loop, barriers, wait = steps_of_gpu_fused(layers, batch_size, monkeypatch)
    exchange = loop[barriers[1] : wait]
    sent = sum(instruction.name.startswith("STAS") for instruction in exchange)
    products = sum(instruction.multiplies for instruction in exchange)
    quad = 4 * -(-layers[1] // 8)  # products that make the 16 bytes of a message, one for each of the block's hidden units
    assert products / quad == sent / sends


# Emulation on the CPU


# A trainer, and the compute capability and multiprocessors of its device
BY_CLUSTER, BY_GRID = (FusedOnCpu, "90", 8), (FusedOnCpu, "80", 8)
AHEAD = (LookaheadOnCpu, "90", 8)
BY_WARPS, BY_TILES = (GraphOnCpu, "90", 99), (GraphOnCpu, "90", 1)  # gpu_graph with narrow blocks, and with tiles
ONE_BY_ONE = (GraphOnCpu, "80", 99)  # without overlapping kernels


@pytest.fixture(scope="module")
def job():
    """A job with uneven shares: three pixels for some threads and two for others, 15 hidden units for 8 blocks, a short last mini-batch."""
    rng = np.random.default_rng(5)
    data = Dataset(rng.random((19, 300)), rng.integers(0, 5, 19), classes=5)
    start, order = Network.scaled([300, 15, 5], seed=2), data.order(seed=1)
    right = trained(load_trainer("loop"), start.astype("float64"), data, batch_size=4, order=order)
    return start, data, order, right


def emulated(kind, job, *, seed=0, without=-1, epochs=1):
    """Train on the emulated device and return the network. Every epoch starts from the same weights.

    seed     seed of the schedule of the threads
    without  number of the barrier to leave out, or -1 for none
    """
    start, data, order, _ = job
    trainer, capability, multiprocessors = kind
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Device.cuda.Device, "compute_capability", capability)
        patch.setitem(Device.cuda.Device.attributes, "MultiProcessorCount", multiprocessors)
        patch.setattr("impls.gpu_graph.STEPS_A_GRAPH", 2)  # few enough that a graph is replayed, and that all its kernels can run at once
        trainer = trainer(start, data, batch_size=4, learning_rate=3.0)
        patch.setattr(Device.RawModule, "seed", seed)
        patch.setattr(Device.RawModule, "without", without)
        for _ in range(epochs):
            trainer.load(start)
            trainer.train_epoch(order)
    return trainer.network()


@needs_compiler
@pytest.mark.parametrize("kind", [BY_CLUSTER, BY_GRID, AHEAD, BY_WARPS, BY_TILES, ONE_BY_ONE])
def test_in_every_schedule_the_kernels_match_the_loop(job, kind):
    results = [emulated(kind, job, seed=seed, epochs=2) for seed in range(3)]
    assert relative_error(results[0], job[-1]) < 1e-6
    assert all(same_bits(result, results[0]) for result in results)


@needs_compiler
@pytest.mark.parametrize("kinds", [(BY_CLUSTER,), (BY_GRID,), (AHEAD,), (BY_WARPS, BY_TILES)])
def test_a_missing_barrier_or_wait_for_the_predecessor_is_detected(job, kinds):
    def right(kind, **defect):
        try:
            return relative_error(emulated(kind, job, **defect), job[-1]) < 1e-6
        except TimeoutError:
            return False

    assert all(right(kind) for kind in kinds)
    barriers = range(Device.RawModule.barriers)
    assert len(barriers) >= 3
    missed = [number for number in barriers if all(right(kind, seed=seed, without=number) for kind in kinds for seed in range(1, 9))]
    assert missed == []


@needs_compiler
@pytest.mark.parametrize(("registers", "chunks"), [(24, 2), (14, 4)])  # with more than two, one is neither the first nor the last
def test_a_mini_batch_of_several_chunks_matches_the_loop(job, monkeypatch, registers, chunks):
    monkeypatch.setattr("impls.gpu_fused.REGISTERS", {4: registers})
    assert FusedFit.of((300, 15, 5), 4, 4, clusters=True, shared_limit=227 * 1024).chunks == chunks
    assert relative_error(emulated(BY_CLUSTER, job, seed=1), job[-1]) < 1e-6


@needs_compiler
def test_gpu_fused_trains_the_nielsen_job(mnist):
    data, start = mnist.training.first(64), Network.gaussian([784, 30, 10])
    oracle = trained(load_trainer("loop"), start.astype(np.float64), data, batch_size=10)
    assert relative_error(trained(FusedOnCpu, start, data, batch_size=10), oracle) < 1e-6
