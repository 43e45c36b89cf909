"""The gate's report as a comment for a pull request."""

from __future__ import annotations

import math

from bench.gate.verdict import Report, Verdict
from bench.text.numbers import plain

MARKER = "<!-- epochbench gate -->"  # by which a workflow finds the comment that it has to renew
_BARS = "▁▂▃▄▅▆▇█"
_MOST = 40  # bars of a sparkline


def comment(report: Report) -> str:
    """Return the comment: the marker, the verdict in words, the table, and the ratios of the pairs."""
    bars = [f"`{sparkline(verdict)}` {verdict.title}" for verdict in report.verdicts if verdict.judged]
    note = "Each bar is a pair of fresh processes: the higher, the more time the working tree took.\n\n" if bars else ""
    return "\n".join([MARKER, _headline(report), "", report.markdown(), note + "<br>\n".join(bars)]).rstrip() + "\n"


def sparkline(verdict: Verdict) -> str:
    """Return the ratios of a verdict's last pairs as bars, on a scale that includes 1."""
    logs = [pair.log_ratio for pair in verdict.judged[-_MOST:]]
    low, high = min(0.0, *logs), max(0.0, *logs)
    steps = len(_BARS) - 1
    return "".join(_BARS[round(steps * (log - low) / (high - low)) if high > low else 0] for log in logs)


def _headline(report: Report) -> str:
    worse = [verdict for verdict in report.verdicts if verdict.word in ("slower", "slower to start", "broken")]
    if worse:
        return "**" + "; ".join(map(_in_words, worse)) + "**"
    if report.not_judged:
        return f"**Not judged: {plain(report.not_judged)}**"
    return f"No trainer is slower by {report.margin:.1%} or more." if report.verdicts else "No trainer's code differs from the base."


def _in_words(verdict: Verdict) -> str:
    if verdict.word == "slower to start" and verdict.start:
        return f"{plain(verdict.title)} takes {verdict.start.value:.2f} times as long to start"
    if verdict.word == "broken" or not verdict.ratio or not math.isfinite(verdict.ratio.high):
        return f"{plain(verdict.title)} is {verdict.word}"
    ratio = verdict.ratio
    return f"{plain(verdict.title)} takes {ratio.value:.3f} times as long ({ratio.low:.3f} to {ratio.high:.3f})"
