"""CSV of the pairs of a command that measures many duels, written pair by pair."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from bench import records
from bench.machine.identity import describe
from bench.options import Options
from bench.paired.duel import Duel
from bench.paired.pair import Pair, rows_of
from bench.records import WriteError


class PairLog:
    """The CSV of one call of a command.

    machine    the name of this machine
    duel       the duel of the latest pair; None: no pair
    csv        the file, after `close`
    unwritten  a warning that says why it could not be written, or empty
    """

    def __init__(self, options: Options, command: str) -> None:
        """Nothing is written before the first pair. Raises InputError if the directory of results cannot be written."""
        records.check_writable(options.results)
        self.machine = describe(options.machine).machine
        self.duel: Duel | None = None
        self.csv: Path | None = None
        self.unwritten = ""
        self._run_id = records.new_id(datetime.now(UTC))
        self._writer = records.Writer(options.results / f"{self._run_id}-{command}-{self.machine}.csv")

    def keep(self, match: Duel, number: int, pair: Pair) -> None:
        """Write a pair of a duel, the `number`-th of it. If that fails, `close` tries again."""
        self.duel = match
        with suppress(WriteError):
            self._writer.add(rows_of(match, pair, number, run_id=self._run_id, machine=self.machine))

    def close(self) -> None:
        """Give the file its final name, if there is a pair."""
        if self.duel:
            try:
                self.csv = self._writer.close()
            except WriteError as error:
                self.unwritten = f"warning: {error}"
