"""Interim looks at a sequence of pairs, with intervals that stay valid over all looks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from bench.paired.pair import Pair
from bench.stats import intervals
from bench.stats.intervals import Interval

FIRST_LOOK = 8  # pairs; an interval needs at least 7, and with 7 its ends are the smallest and the largest ratio
_MORE = 1.5  # factor of pairs from one look to the next
_PRECISE = math.log(1.01)  # largest half-width of a precise interval, on a log scale; larger for a ratio far from 1:
_PRECISE_SHARE = 0.05  # of the ratio's distance from 1


def interim_looks(pairs: Iterable[Pair], seconds: float, *, family: int = 1) -> Iterator[tuple[list[Pair], Interval]]:
    """Yield the pairs so far with the interval of their median ratio, a over b, at each look and when the time is up.

    The number of pairs grows by half from one look to the next. The time is up when the next pair would exceed the seconds.
    The intervals of all looks together have the stated coverage; if there is a family of such sequences, all of them together.
    """
    taken: list[Pair] = []
    spent, longest, number, due = 0.0, 0.0, 1, FIRST_LOOK
    for pair in pairs:
        taken.append(pair)
        spent, longest = spent + pair.seconds, max(longest, pair.seconds)
        late = spent + longest > seconds
        if len(taken) >= due or late:
            yield taken, interval_at(taken, number, family=family)
            number, due = number + 1, math.ceil(len(taken) * _MORE)
        if late:
            return


def interval_at(pairs: Sequence[Pair], look: int, *, family: int = 1) -> Interval:
    """Return the median ratio of the pairs, a over b, with its interval. `look` is the number of the look, from 1; `family` as above."""
    logs = intervals.anytime_interval([pair.log_ratio for pair in pairs], look, family=family)
    return Interval(*map(math.exp, logs)) if logs.known else logs._replace(value=math.exp(logs.value))


def is_precise(ratio: Interval) -> bool:
    """Return whether `versus` may stop: the half-width is at most 1 %, or 5 % of the ratio's distance from 1, on a log scale."""
    reach = max(_PRECISE, _PRECISE_SHARE * abs(math.log(ratio.value)))
    return ratio.high <= ratio.value * math.exp(reach) and ratio.low >= ratio.value * math.exp(-reach)


def kept(pairs: Iterable[Pair], into: list[Pair]) -> Iterator[Pair]:
    """Append each pair to the list, then yield it. The list keeps the pairs if a later pair fails."""
    for pair in pairs:
        into.append(pair)
        yield pair
