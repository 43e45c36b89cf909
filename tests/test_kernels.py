"""The CUDA kernels without a GPU: they compile for the devices they are meant for, and, played on the CPU, they compute and wait right."""

import numpy as np
import pytest

from impls import Dataset, Network, load_trainer
from impls.gpu_fused import Fit
from tests import nvrtc
from tests.device import Device, FusedOnCpu, GraphOnCpu, Unbuilt, UnbuiltFused, UnbuiltGraph, needs_compiler
from tests.test_trainers import distance, same_bits, trained

needs_nvrtc = pytest.mark.skipif(
    nvrtc.library() is None, reason="needs NVIDIA's run-time compiler: pip install '.[test]' brings it on Linux, x86-64"
)


def asked_for(kind, layers, batch_size, dtype, capability, monkeypatch):
    """The code, options and names of the kernels that a trainer asks for on a device of that capability."""
    monkeypatch.setattr(Device.cuda.Device, "compute_capability", capability)
    monkeypatch.setitem(Device.cuda.Device.attributes, "MultiProcessorCount", 132)
    data = Dataset(np.zeros((batch_size, layers[0]), np.float32), np.zeros(batch_size, int), classes=layers[-1])
    kind(Network.scaled(layers, dtype=dtype), data, batch_size=batch_size, learning_rate=1.0)
    return Unbuilt.asked


# Every architecture in the type that people use, the newest in the other: a compilation takes half a second and more.
FLOATS = [("float32", "75"), ("float32", "80"), ("float32", "90")]


@needs_nvrtc
@pytest.mark.parametrize(("dtype", "capability"), [*FLOATS, ("float64", "90")])
def test_the_kernels_of_gpu_graph_compile_without_spills(dtype, capability, monkeypatch):
    sizes = {"float32": (2, 4, 8), "float64": (2, 4)}[dtype]
    every = {f"{kernel}<{each}>" for kernel in ("forward", "backward", "update") for each in sizes}
    every |= {"forward_narrow", "output", "advance"}
    asked = set()
    for layers, batch_size in (([784, 30, 10], 10), ([784, 2048, 700, 100, 10], 2048)):
        code, options, kernels = asked_for(UnbuiltGraph, layers, batch_size, dtype, capability, monkeypatch)
        asked.update(kernels)
    assert asked <= every
    used = nvrtc.compiled(code, f"sm_{capability}", options, every)
    assert {name: kernel.spilled for name, kernel in used.items() if kernel.spilled} == {}


@needs_nvrtc
@pytest.mark.parametrize(
    ("layers", "batch_size", "dtype", "capability"),
    [([784, 30, 10], 10, *device) for device in FLOATS]
    + [([784, 100, 10], 100, "float32", capability) for capability in ("86", "90")]
    + [
        (layers, batch_size, dtype, "90")
        for layers, batch_size in [([784, 16, 10], 10), ([784, 100, 10], 4), ([1500, 16, 10], 10), ([6, 4, 3], 200)]
        for dtype in ("float32", "float64")
    ],
)
def test_the_kernel_of_gpu_fused_compiles_without_spills_and_its_blocks_are_a_cluster_where_there_are_clusters(
    layers, batch_size, dtype, capability, monkeypatch
):
    code, options, kernels = asked_for(UnbuiltFused, layers, batch_size, dtype, capability, monkeypatch)
    (kernel,) = nvrtc.compiled(code, f"sm_{capability}", options, kernels).values()
    assert kernel.spilled == 0
    assert kernel.cluster == (8 if capability == "90" else 1)


@needs_nvrtc
def test_a_spill_is_seen():
    source = 'extern "C" __global__ void __launch_bounds__(1024) wide(float* p) { float v[200];\n#pragma unroll\n' + (
        "for (int i = 0; i < 200; i++) v[i] = p[i * 1024 + threadIdx.x];\n__syncthreads();\n#pragma unroll\n"
        "for (int i = 0; i < 200; i++) p[(199 - i) * 1024 + threadIdx.x] = v[i] * v[(i * 7) % 200]; }"
    )
    assert nvrtc.compiled(source, "sm_90", (), ("wide",))["wide"].spilled > 0


# Played on the CPU


@pytest.fixture(
    params=[
        pytest.param((FusedOnCpu, "90", 8), id="gpu_fused by cluster"),
        pytest.param((FusedOnCpu, "80", 8), id="gpu_fused by grid"),
        pytest.param((GraphOnCpu, "90", 1), id="gpu_graph"),  # on one multiprocessor, so that its products are by tiles
    ]
)
def kind(request, monkeypatch):
    """A trainer, on the device that it is to meet."""
    trainer, capability, multiprocessors = request.param
    monkeypatch.setattr(Device.cuda.Device, "compute_capability", capability)
    monkeypatch.setitem(Device.cuda.Device.attributes, "MultiProcessorCount", multiprocessors)
    return trainer


@pytest.fixture(scope="module")
def job():
    """Three pixels for some threads and two for others; hidden units for seven blocks and a half; a short last mini-batch."""
    rng = np.random.default_rng(5)
    data = Dataset(rng.random((19, 300)), rng.integers(0, 5, 19), classes=5)
    start, order = Network.scaled([300, 15, 5], seed=2), data.order(seed=1)
    right = trained(load_trainer("loop"), start.astype("float64"), data, batch_size=4, order=order)
    return start, data, order, right


def played(kind, job, *, seed=0, without=-1, epochs=1):
    """Train on the CPU, with the threads in the schedule of that seed, and without that barrier. Every epoch begins at the start."""
    start, data, order, _ = job
    trainer = kind(start, data, batch_size=4, learning_rate=3.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Device.RawModule, "seed", seed)
        patch.setattr(Device.RawModule, "without", without)
        for _ in range(epochs):
            trainer.load(start)
            trainer.train_epoch(order)
    return trainer.network()


@needs_compiler
def test_in_every_schedule_the_kernels_compute_what_the_loop_does(job, kind):
    results = [played(kind, job, seed=seed, epochs=2) for seed in range(3)]
    assert distance(results[0], job[-1]) < 1e-6
    assert all(same_bits(result, results[0]) for result in results)


@needs_compiler
def test_a_barrier_left_out_is_caught(job, kind):
    def right(**defect):
        try:
            return distance(played(kind, job, **defect), job[-1]) < 1e-6
        except TimeoutError:
            return False

    assert right()
    barriers = range(Device.RawModule.barriers)
    assert len(barriers) >= 3
    missed = [number for number in barriers if all(right(seed=seed, without=number) for seed in range(1, 9))]
    assert missed == []


@needs_compiler
@pytest.mark.parametrize(("registers", "chunks"), [(24, 2), (14, 4)])  # of more than two, one is neither the first nor the last
def test_a_mini_batch_of_several_chunks_computes_the_same(job, monkeypatch, registers, chunks):
    monkeypatch.setattr("impls.gpu_fused.REGISTERS", {4: registers})
    assert Fit.of((300, 15, 5), 4, 4, clusters=True, room=227 * 1024).chunks == chunks
    assert distance(played(FusedOnCpu, job, seed=1), job[-1]) < 1e-6


@needs_compiler
def test_gpu_fused_trains_the_nielsen_job(mnist):
    data, start = mnist.training.first(64), Network.gaussian([784, 30, 10])
    oracle = trained(load_trainer("loop"), start.astype(np.float64), data, batch_size=10)
    assert distance(trained(FusedOnCpu, start, data, batch_size=10), oracle) < 1e-6
