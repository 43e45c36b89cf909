"""Progress: a line that takes the place of the last one, for a person who watches. The front end's log handler shows it.

bench/commands/console.py shows it on standard error, bench/conftest.py on pytest's terminal; without a handler it is not shown.
"""

from __future__ import annotations

import logging

# Not by getLogger: pytest would show the messages of a registered logger in the report of a failed case.
LOGGER = logging.Logger("bench.progress", logging.INFO)


def progress(line: str) -> None:
    """Show a line in place of the last one; an empty line removes it."""
    LOGGER.info("%s", line)


def show_with(handler: logging.Handler) -> None:
    """Have this handler alone show the progress."""
    LOGGER.handlers = [handler]
