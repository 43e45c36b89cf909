"""Progress line: each new line overwrites the last one. A log handler of the front end prints it.

bench/commands/console.py prints it to standard error, bench/conftest.py to pytest's terminal. Without a handler nothing is printed.
"""

from __future__ import annotations

import logging

# Not from getLogger: pytest would print the messages of a registered logger in the report of a failed case.
LOGGER = logging.Logger("bench.progress", logging.INFO)


def progress(line: str) -> None:
    """Overwrite the last progress line. An empty line removes it."""
    LOGGER.info("%s", line)


def show_with(handler: logging.Handler) -> None:
    """Make this handler the only one that prints progress."""
    LOGGER.handlers = [handler]
