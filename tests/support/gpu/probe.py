"""Correctness of the GPU trainers on this device, the time of an epoch, and the time of its parts.

    python -m tests.support.gpu.probe [--workload nielsen,wide] [--json FILE] [--limit SECONDS]

The script prints every result immediately and writes all of them to FILE. If a kernel hangs, it prints a traceback and exits after the
limit. Exits with 1 if a trainer is wrong or failed, or if two results that must have the same bits differ.
"""

import argparse
import faulthandler
import json
import statistics
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bench.anatomy import stage_clocks
from bench.options import declare, parse
from bench.system import files
from bench.verify.verification import Verification, whole_epoch
from impls import InputError, Unsupported
from tests.support.gpu.few_steps import bits
from tests.support.gpu.variants import load_all, stream_of, timed_epoch, with_blocks, with_threads

THREADS = (128, 192, 224, 256)  # of a block of gpu_fused
BLOCKS = (8, 14, 16)  # of gpu_lookahead
ATTRIBUTES = ("MultiProcessorCount", "MaxSharedMemoryPerBlockOptin", "ClockRate", "L2CacheSize", "ClusterLaunch", "CooperativeLaunch")
AGREE = 0.05  # the largest allowed relative difference between the device's clock and the host's
LEAST, SECONDS = 5, 2  # the script times a trainer for at least LEAST epochs, and stops after SECONDS
NODES = 1000  # of the graph that measures the cost of a launch


class Report:
    """Results by name. Prints each result immediately, and writes all of them to a JSON file."""

    def __init__(self, file=None):
        self.results, self.failed = {}, []
        self._file, self._began = file, time.perf_counter()

    def record(self, name, value):
        """Print a result and store it."""
        self.results[name] = value
        print(f"{time.perf_counter() - self._began:6.1f} s  {name}: {rounded(value)}", flush=True)
        if self._file:
            files.atomic_write(self._file, json.dumps(self.results, indent=1) + "\n")

    def attempt(self, name, work, *arguments):
        """Record the result of work(*arguments), or the reason why it is unsupported or failed."""
        try:
            value = work(*arguments)
        except Unsupported as reason:
            value = f"unsupported: {reason}"
        except Exception as error:
            self.failed.append(name)
            traceback.print_exc()
            value = f"FAILED {type(error).__name__}: {error}"
        self.record(name, value)

    def check(self, name, right):
        """Record a condition; if it is false, record a failure."""
        self.failed += [name] * (not right)
        self.record(name, bool(right))


def rounded(value):
    """Return a result as text, with four digits of each number."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {rounded(each)}" for name, each in value.items())
    if isinstance(value, tuple):
        return "/".join(map(rounded, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def device(xp):
    """Return the device's compute capability, and the attributes that the trainers depend on."""
    device = xp.cuda.Device()
    return {"capability": device.compute_capability, **{name: device.attributes.get(name) for name in ATTRIBUTES}}


def error_of_dot(xp):
    """Return the relative error of a float32 matrix product. An error near 1e-3 means that the product used TF32."""
    a, b = np.random.default_rng(0).random((2, 512, 512), np.float32)
    right, out = a.astype(float) @ b, xp.empty((512, 512), np.float32)
    xp.dot(xp.asarray(a), xp.asarray(b), out=out)
    return float(np.linalg.norm(xp.asnumpy(out) - right) / np.linalg.norm(right))


class Epochs:
    """Times epochs of one workload, and stores the bits of the weights after an epoch."""

    def __init__(self, workload, splits, rounds):
        self._workload, self._rounds, self._test = workload, rounds, splits.test
        self._data = workload.data(splits)
        self.bits = {}

    def time(self, name, kind):
        """Time epochs of a trainer and return the results: times in ms, their ratio, and the test accuracy."""
        workload, data = self._workload, self._data
        start, order = workload.network(data), data.order(seed=workload.seed)
        trainer = kind(start, data, batch_size=workload.batch_size, learning_rate=workload.learning_rate)
        epochs = []
        while len(epochs) < self._rounds and (len(epochs) < LEAST or sum(epoch.wall for epoch in epochs) < SECONDS):
            trainer.load(start)
            epochs.append(timed_epoch(trainer, order))
        self.bits[name] = bits(trainer.network())
        ratio = statistics.median(epoch.events / epoch.wall for epoch in epochs)
        return {
            "wall_ms": 1e3 * statistics.median(epoch.wall for epoch in epochs),
            "best_wall_ms": 1e3 * min(epoch.wall for epoch in epochs),
            "events_ms": 1e3 * statistics.median(epoch.events for epoch in epochs),
            "events_over_wall": ratio,
            "clocks_agree": abs(ratio - 1) <= AGREE,
            "accuracy": trainer.network().accuracy(self._test),
            **({"fit": trainer._fit._asdict()} if hasattr(trainer, "_fit") else {}),
        }


def launch_costs(graph, workload, splits):
    """Return the time in microseconds of a kernel with one thread, launched from the host, and as a node of a CUDA graph."""
    data = workload.data(splits).first(workload.batch_size)
    trainer = graph(workload.network(data), data, batch_size=workload.batch_size, learning_rate=workload.learning_rate)
    stream, cuda = stream_of(trainer), trainer.xp.cuda

    def launches():
        for _ in range(NODES):
            trainer._advance(0)

    def shortest(work):
        times = []
        for _ in range(3):
            began, ended = cuda.Event(), cuda.Event()
            began.record(stream)
            work()
            ended.record(stream)
            ended.synchronize()
            times.append(cuda.get_elapsed_time(began, ended))
        return 1000 * min(times) / NODES

    with stream:
        stream.begin_capture()
        launches()
        captured = stream.end_capture()
        captured.upload()
        return {"launch_us": shortest(launches), "node_us": shortest(captured.launch)}


def peaks():
    """Return the peaks of the device as the bench measures them."""
    from bench.machine import peaks_gpu

    return asdict(peaks_gpu.measure("float32"))


def probe(report, every, workloads, splits, rounds):
    """Record all results, the most valuable first. The variant for devices without clusters is last, because it is most likely to hang."""
    xp = every["gpu"].xp
    report.attempt("device", device, xp)
    report.attempt("relative error of a float32 product", error_of_dot, xp)
    oracles = {workload: Verification(workload, splits) for workload in workloads}
    epochs = {workload: Epochs(workload, splits, rounds) for workload in workloads}

    def errors_and_times(names):
        for name in names:
            for workload, oracle in oracles.items():
                report.attempt(f"{name}, {workload.name}: error", oracle.max_error, every[name])
        for workload in workloads:
            for name in names:
                report.attempt(f"{name}, {workload.name}: epoch", epochs[workload].time, name, every[name])

    def same_bits(one, other):
        for workload in workloads:
            kept = epochs[workload].bits
            if one in kept and other in kept:
                report.check(f"{one} and {other}, {workload.name}: same bits", kept[one] == kept[other])

    def clocks(name, clocked):
        def measure(workload):
            return {
                kind: clocks._asdict() for kind, clocks in stage_clocks.measure(clocked(every[name]), whole_epoch(workload, splits)).items()
            }

        for workload in workloads:
            report.attempt(f"{name}, {workload.name}: clocks a step", measure, workload)

    errors_and_times([name for name in every if name != "grid"])
    same_bits("gpu_graph", "one_by_one")
    for name, clocked in stage_clocks.CLOCKED.items():
        clocks(name, clocked)
    for workload in workloads:
        for threads in THREADS:
            kind = with_threads(every["gpu_fused"], threads)
            report.attempt(f"gpu_fused of {threads} threads, {workload.name}: epoch", epochs[workload].time, threads, kind)
        for blocks in BLOCKS:
            kind = with_blocks(every["gpu_lookahead"], blocks)
            report.attempt(f"gpu_lookahead of {blocks} blocks, {workload.name}: epoch", epochs[workload].time, blocks, kind)
    for name in ("gpu_graph", "one_by_one"):
        report.attempt(f"{name}: cost of a launch", launch_costs, every[name], workloads[0], splits)
    errors_and_times(["grid"])
    same_bits("gpu_fused", "grid")
    clocks("grid", stage_clocks.clocked_fused)


def main(arguments=None, base=None):
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.gpu.probe", description=__doc__.split("\n")[0])
    declare(parser.add_argument, "--workload", "--examples")
    parser.add_argument(
        "--rounds", type=int, default=15, metavar="N", help="time up to N epochs of each trainer, fewer of a slow one (default: 15)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to FILE (default: only print them)")
    parser.add_argument("--limit", type=float, default=300, metavar="S", help="exit after S seconds, even in a kernel (default: 300)")
    given = parser.parse_args(arguments)
    faulthandler.dump_traceback_later(given.limit, exit=True, file=sys.__stderr__)
    try:
        options, every, report = parse(given, results=Path()), load_all(base), Report(given.json)
        splits = options.splits()
        probe(report, every, options.workloads, splits, given.rounds)
        if base is None:
            report.attempt("peaks", peaks)
    except (InputError, Unsupported) as error:
        print(f"probe: {error}", file=sys.stderr)
        return 2
    finally:
        faulthandler.cancel_dump_traceback_later()
    print(f"probe: done; {', '.join(report.failed) or 'nothing'} failed", flush=True)
    return int(bool(report.failed))


if __name__ == "__main__":
    sys.exit(main())
