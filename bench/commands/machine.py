"""`python -m bench machine`: description of this machine, and problems with its settings."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from bench.commands.arguments import Commands
from bench.options import declare
from bench.system.progress import progress
from bench.text.numbers import counted, digits
from bench.text.tables import Table

if TYPE_CHECKING:
    from bench.machine.rates import Rates
    from bench.machine.sensors import Sensors


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("machine", help="describe this machine")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--curve", action="store_true", help="measure the rate of a matrix product by its size, too")
    parser.add_argument("--machine", metavar="NAME", help="name this machine in the results (default: its processor, cores and GPU)")
    declare(parser.add_argument, "--adapter")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the machine's columns, its rates, and warnings about its settings, restrictions of this process and unsuitable BLAS kernels."""
    from bench.machine import adapter, affinity, blas, clock, energy, power_settings, rates, sensors
    from bench.machine.identity import describe
    from bench.machine.restrictions import restrictions

    machine, checked, ticking = describe(given.machine), blas.check_kernels(), clock.measure()
    restricted = [*restrictions(affinity.available()), *power_settings.problems()]
    warning = checked.warning() if checked else None
    progress("measuring the rates")
    measured = rates.measure()
    curves = {dtype: rates.curve(dtype) for dtype in rates.DTYPES} if given.curve else {}
    progress("")
    counters, no_counter = energy.find("gpu" if machine.gpu else "cpu")
    named = " + ".join(counter.name for counter in counters)
    if given.json:
        checks = {
            "clock": asdict(ticking),
            "blas_check": asdict(checked) if checked else None,
            "warning": warning,
            "restrictions": restricted,
            "rates": [one._asdict() for one in measured],
            "curve": curves,
            "energy": {"counters": named, "reason": no_counter},
            "adapters": [one._asdict() for one in adapter.installed()],
        }
        print(json.dumps({**asdict(machine), **checks}))
        return 0
    facts = [
        ("clock", str(ticking)),
        ("sensors", _sensors(sensors.read("cpu"))),
        ("energy", "; ".join(filter(None, (named or "none", no_counter)))),
        *(("WebGPU adapter", one.described()) for one in adapter.installed()),
    ]
    print(Table("", ("", ""), [*machine.lines(), *facts]).text())
    print(f"\n{_rates(measured).text()}")
    if curves:
        print(f"\n{_curves(curves, affinity.default_threads()).text()}")
    for line in (*restricted, *([warning] if warning else [])):
        print(f"warning: {line}")
    return 0


def _rates(measured: Sequence[Rates]) -> Table:
    headings = ("threads", *(f"{dtype} GFLOP/s" for dtype in measured[0].flops), "copy GB/s")
    rows = [(str(one.threads), *(digits(rate / 1e9) for rate in one.flops.values()), digits(one.bytes / 1e9)) for one in measured]
    return Table("Rates of a large matrix product and of a large copy, read and written", headings, rows, numbers=True)


def _sensors(read: Sensors) -> str:
    known = [f"{read.mhz:,.0f} MHz"] if read.mhz else []
    known += [f"{read.celsius:.0f} degrees Celsius"] if read.celsius else []
    return ", ".join(known) or "the system shows no clock frequency and no temperature"


def _curves(curves: Mapping[str, Mapping[int, float]], threads: int) -> Table:
    first = next(iter(curves.values()))
    rows = [(str(size), *(digits(curve[size] / 1e9) for curve in curves.values())) for size in first]
    return Table(
        f"Rate of a product of square matrices, with {counted(threads, 'thread')}",
        ("rows", *(f"{dtype} GFLOP/s" for dtype in curves)),
        rows,
        numbers=True,
    )
