"""Tables of a comparison: the machines by speed, a table per workload and per grid, the crossings, and what else differs.

A table of one or two sides has a row for each trainer and side. A table of more has a column for each, named by a letter, and no intervals,
so that ten machines fit on a screen; with more than `_COLUMNS` there are several such tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from bench.analysis import noise
from bench.analysis.sides import Side, sides, works
from bench.analysis.speeds import Key, same_work
from bench.analysis.timings import JobKey, ladder
from bench.analysis.winners import Winner
from bench.machine.accelerators import SOFTWARE
from bench.text.numbers import counted, digits, duration, duration_interval, times_interval
from bench.text.tables import Table

if TYPE_CHECKING:
    from bench.analysis.compare import Comparison

_WIDEST = 36  # letters of a column, so that a table with three columns has 100 or a few more
_NAMED = 2  # sides with their names in the tables; more have letters
_LONG = 10  # letters of a trainer's name; in a column for each machine, a longer one has two lines
_COLUMNS = 12  # sides of a table
_ROOMY = 3  # columns that have room for a trainer and its epoch on one line


def tables(answer: Comparison) -> Iterator[Table]:
    """Yield the tables, in the order of a reader's questions."""
    compared = list(sides(answer))
    lettered = len(compared) > _NAMED
    names = {side: _letters(position) if lettered else side.label for position, side in enumerate(compared)}
    if lettered:
        yield _of_sides(answer, names)
    jobs = works(answer)
    for job in jobs:
        if job.width is None:
            yield from _columns(names, job) if lettered else [_rows(answer, names, job)]
    grids: dict[str, list[JobKey]] = {}
    for job in jobs:
        if job.width is not None:
            grids.setdefault(job.kind, []).append(job)
    for kind, cells in grids.items():
        yield from _grid_columns(names, kind, cells) if lettered else [_grid_rows(names, kind, cells)]
    by_label = {side.label: name for side, name in names.items()}
    if answer.crossings:
        yield _crossings(answer, by_label)
    yield _differences(answer, by_label)
    if answer.timings.disturbed:
        yield Table(noise.TITLE, (), (), noise.format_lines(answer.timings.disturbed))


def _letters(position: int) -> str:
    """Return A to Z, then AA, AB and so on, as a spreadsheet does."""
    return (_letters(position // 26 - 1) if position >= 26 else "") + chr(ord("A") + position % 26)


def _of_sides(answer: Comparison, names: Mapping[Side, str]) -> Table:
    if len(answer.ranking) < 2:
        return Table(f"Runs of {answer.baseline.machine}", ["", "run"], [[name, side.label] for side, name in names.items()])
    rows = [
        [name, one.machine, "1" if one.machine == one.base else times_interval(one.ratio) if one.ratio else "-", str(one.common)]
        for name, one in zip(names.values(), answer.ranking, strict=True)
    ]
    notes = [f"speed: over {answer.ranking[0].base}, fitted to the cases that two or more machines ran"]
    return Table("Machines by their speed with the same trainers", ["", "machine", "speed (95 %)", "cases"], rows, notes)


def _rows(answer: Comparison, names: Mapping[Side, str], job: JobKey) -> Table:
    """Return a row for each trainer and side."""
    timed, several = [side for side in names if side.ran(job)], len(names) > 1
    amounts = _amounts(timed, job)
    rows = []
    for trainer in _trainers(timed, job):
        mine = [side for side in timed if (job, trainer) in side.keys]
        for side in mine:
            speedup = side.speedups.get((job, trainer))
            cells = [
                _name(names[side], side.keys[job, trainer], amounts),
                _epoch(side, job, trainer),
                times_interval(speedup) if speedup else "-",
            ]
            rows.append([trainer if side is mine[0] else "", *(cells if several else cells[1:2])])
    for side in timed:
        won = _won(side.winners.get(job))
        rows.append(["fastest" if side is timed[0] else "", *([names[side], *won] if several else ["\n".join(filter(None, won))])])
    if not several:
        return Table(job.title, ["trainer", *(side.label for side in names)], rows)
    notes = []
    if any((job, trainer) in side.speedups for side in timed for trainer in _trainers(timed, job)):
        notes.append(f"speedup: over {_base(answer)}" + (", of the examples per second" if len(amounts) > 1 else ""))
    return Table(job.titled(amounts), ["trainer", _heading(answer), "epoch (95 %)", "speedup (95 %)"], rows, notes, widest=_WIDEST)


def _columns(names: Mapping[Side, str], job: JobKey) -> Iterator[Table]:
    """Yield tables with a row for each trainer and a column for each side."""
    every = [side for side in names if side.ran(job)]
    amounts = _amounts(every, job)
    for timed in _parts(every):
        rows = [[trainer, *(_short(side, job, trainer, amounts) for side in timed)] for trainer in _trainers(timed, job)]
        won = [side.winners.get(job) for side in timed]
        rows.append(["fastest", *(_broken(one.trainer) + ("\n(tied)" if one.level else "") if one else "-" for one in won)])
        yield Table(job.titled(amounts), ["trainer", *(names[side] for side in timed)], rows, numbers=True)


def _grid_rows(names: Mapping[Side, str], kind: str, jobs: Sequence[JobKey]) -> Table:
    """Return the fastest trainer of each cell, in a row for each side."""
    several, rows = len(names) > 1, []
    for job in jobs:
        timed = [side for side in names if side.ran(job)]
        amounts = _amounts(timed, job)
        for side in timed:
            first, ahead = _won(side.winners.get(job))
            name = _name(names[side], side.keys[job, first], amounts) if job in side.winners else names[side]
            epoch = duration_interval(side.epochs(job, first).interval()) if job in side.winners else "-"
            rows.append([_cell(job, jobs) if side is timed[0] else "", *([name] if several else []), first, epoch, ahead])
    headings = ["", *(["machine"] if several else []), "fastest", "epoch (95 %)", "ahead of the next"]
    return Table(_of_grid(kind), headings, rows, ["--json lists the other trainers"], widest=_WIDEST)


def _grid_columns(names: Mapping[Side, str], kind: str, jobs: Sequence[JobKey]) -> Iterator[Table]:
    """Yield tables of the fastest trainer of each cell, in a column for each side."""
    for timed in _parts([side for side in names if any(side.ran(job) for job in jobs)]):
        between = " " if len(timed) <= _ROOMY else "\n"
        rows = []
        for job in jobs:
            amounts = _amounts(timed, job)
            won = {side: side.winners.get(job) for side in timed}
            cells = (f"{one.trainer}{between}{_short(side, job, one.trainer, amounts)}" if one else "-" for side, one in won.items())
            rows.append([_cell(job, jobs), *cells])
        yield Table(_of_grid(kind), ["", *(names[side] for side in timed)], rows, numbers=True)


def _parts(sides: Sequence[Side]) -> Iterator[Sequence[Side]]:
    for first in range(0, len(sides), _COLUMNS):
        yield sides[first : first + _COLUMNS]


def _cell(job: JobKey, jobs: Sequence[JobKey]) -> str:
    """Return the name of a grid's cell, with its number of examples if another job has the same name."""
    same = sum(other.workload == job.workload for other in jobs)
    return job.workload + (f", {job.examples:,} examples" if same > 1 else "")


def _base(answer: Comparison) -> str:
    return answer.ranking[0].base if len(answer.ranking) > 1 else answer.baseline.label


def _heading(answer: Comparison) -> str:
    return "machine" if len(answer.ranking) > 1 else "run"


def _of_grid(kind: str) -> str:
    return f"Fastest trainer by width and mini-batch size, {kind}"


def _crossings(answer: Comparison, names: Mapping[str, str]) -> Table:
    several = len(answer.timings.configurations) > 1
    winning = sorted((one for one in answer.crossings if one.wins), key=lambda one: answer.by_speed.index(one.configuration))
    rows = []
    for line in dict.fromkeys(one.line for one in winning):
        mine = [one for one in winning if one.line == line]
        for one in mine:
            label, machine = one.configuration.label, one.configuration.machine
            where = names.get(label) or names[machine] + label.removeprefix(machine)
            rows.append([line if one is mine[0] else "", *([where] if several else []), str(one)])
    others = len(answer.crossings) - len(winning)
    notes = [f"--json lists {counted(others, 'more crossing')}, between trainers that are not the fastest"] if others else []
    if not rows:
        notes = ["nowhere for certain", *notes]
    headings = ["axis", *([_heading(answer)] if several else []), "crossing"]
    return Table("Where the fastest trainer changes (95 % intervals)", headings, rows, notes, widest=_WIDEST if several else None)


def _differences(answer: Comparison, names: Mapping[str, str]) -> Table:
    """Return the effect of each fact that differs, and the sides of each of its values."""
    rows = []
    for difference in answer.differences:
        by_value: dict[str, dict[str, None]] = {}
        for configuration in answer.by_speed:
            if configuration in difference.values:
                name = names.get(configuration.label) or names[configuration.machine]
                by_value.setdefault(_values(difference.values[configuration]), {})[name] = None
        rows.append([difference.fact, "", difference.therefore])
        rows += [["", value, ("\n" if len(names) <= _NAMED else ", ").join(where)] for value, where in by_value.items()]
    notes = list(_only_there(answer))
    if not rows:
        notes = ["none: hardware, threads, BLAS, versions and commit are the same", *notes]
    return Table("Other differences", ["", "value", "effect, and machines"], rows, notes, widest=_WIDEST)


def _only_there(answer: Comparison) -> Iterator[str]:
    """Yield a note for each machine with jobs that no other machine timed, if there are several machines."""
    machines: dict[JobKey, set[str]] = {}
    for job in answer.timings.jobs:
        machines.setdefault(same_work(job), set()).update(configuration.machine for configuration in answer.timings.of(job))
    only_there: dict[str, list[str]] = {}
    for job, these in machines.items():
        if len(these) == 1 < len(answer.ranking):
            only_there.setdefault(these.pop(), []).append(f"{job.workload} ({job.kind})")
    for machine, named in only_there.items():
        yield f"only on {machine}, not compared: {_values(named)}"


def _trainers(timed: Sequence[Side], job: JobKey) -> list[str]:
    return ladder(trainer for side in timed for of, trainer in side.keys if of == job)


def _amounts(timed: Sequence[Side], job: JobKey) -> list[int]:
    """Return the numbers of examples that the sides trained on, the largest first."""
    return sorted({key[1].examples for side in timed for (of, _), key in side.keys.items() if of == job}, reverse=True)


def _name(name: str, key: Key, amounts: Sequence[int]) -> str:
    """Return the name of a side with what its epoch differs in: threads, ranks, and examples."""
    where, timed, _ = key
    parts = where.label.removeprefix(where.machine) if name == where.machine else ""
    return f"{name}{parts}" + (f", {timed.examples:,} examples" if len(amounts) > 1 else "")


def _epoch(side: Side, job: JobKey, trainer: str) -> str:
    key, epochs = side.keys[job, trainer], side.epochs(job, trainer)
    parts = [
        duration_interval(epochs.interval()),
        f"{len(epochs.runs)} runs" if len(epochs.runs) > 1 else "",
        "in software" if side.times.rows[key]["accelerator_kind"] == SOFTWARE else "",
        "disturbed" if key in side.times.noisy else "",
    ]
    return ", ".join(filter(None, parts))


def _short(side: Side, job: JobKey, trainer: str, amounts: Sequence[int]) -> str:
    """Return the median of a trainer's epochs, and on further lines the number of examples and what else it must not be compared with."""
    if (job, trainer) not in side.keys:
        return "-"
    key = side.keys[job, trainer]
    lines = [
        duration(side.epochs(job, trainer).value),
        f"{digits(side.speedups[job, trainer].value)}x" if job.examples and (job, trainer) in side.speedups else "",
        f"{key[1].examples:,} examples" if len(amounts) > 1 and key[1].examples != amounts[0] else "",
        "in software" if side.times.rows[key]["accelerator_kind"] == SOFTWARE else "",
        "disturbed" if key in side.times.noisy else "",
    ]
    return "\n".join(filter(None, lines))


def _broken(trainer: str) -> str:
    return trainer.replace("_", "_\n", 1) if len(trainer) > _LONG else trainer


def _won(winner: Winner | None) -> tuple[str, str]:
    if winner is None:
        return "-", "every trainer was disturbed"
    if winner.ahead is None:
        return winner.trainer, ""
    if winner.level:
        return winner.trainer, f"tied with {', '.join(winner.level)}"
    return winner.trainer, f"{times_interval(winner.ahead)} over {winner.second}"


def _values(values: Sequence[str], most: int = 4) -> str:
    shown = [value or "-" for value in values]
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "") or "-"
