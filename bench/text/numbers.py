"""Number formatting."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.stats.intervals import Interval

_UNITS = ((1e-3, 1e6, "us"), (1.0, 1e3, "ms"), (float("inf"), 1.0, "s"))


def digits(value: float) -> str:
    """Format a number of 0 or more with three significant digits, never in exponent form."""
    text = f"{value:.0f}" if value >= 99.95 else f"{value:#.3g}"
    return text if "e" not in text else f"{value:.6f}"


def duration(seconds: float) -> str:
    """Format a time with three significant digits in us, ms or s: 99.6 ms."""
    factor, unit = _unit(seconds)
    return f"{digits(seconds * factor)} {unit}"


def duration_interval(time: Interval) -> str:
    """Format a time and its interval in the same unit: 99.6 ms (99.2-100)."""
    factor, unit = _unit(time.value)
    return f"{digits(time.value * factor)} {unit} ({digits(time.low * factor)}-{digits(time.high * factor)})"


def times_interval(ratio: Interval) -> str:
    """Format a ratio and its interval: 8.65x (8.46-9.08)."""
    return f"{digits(ratio.value)}x ({digits(ratio.low)}-{digits(ratio.high)})"


def precise_ratio(ratio: Interval, decimals: int = 3) -> str:
    """Return a ratio near 1 with its interval, such as "1.031x (1.020-1.042)"; an unknown interval is a dash."""
    ends = f"{ratio.low:.{decimals}f}-{ratio.high:.{decimals}f}" if ratio.known else "-"
    return f"{ratio.value:.{decimals}f}x ({ends})"


def about(seconds: float) -> str:
    """Format a time as an estimate: about 40 s, about 3 min."""
    if seconds < 95:
        step = 5 if seconds >= 10 else 1
        return f"about {max(round(seconds / step) * step, 0)} s"
    if seconds < 600:
        return f"about {seconds / 60:.1f}".removesuffix(".0") + " min"
    return f"about {seconds / 60:.0f} min" if seconds < 7200 else f"about {seconds / 3600:.0f} h"


def _unit(seconds: float) -> tuple[float, str]:
    return next((factor, unit) for limit, factor, unit in _UNITS if seconds < limit)


def plain(text: str) -> str:
    """Return text on one line. Escape non-printable characters: line breaks, terminal escapes, bidirectional controls."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def counted(number: int, noun: str) -> str:
    """Format a number with its noun: 1 thread, 2 threads."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
