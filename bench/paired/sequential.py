"""Sequential looks at pairs: after how many pairs to look, and an interval that holds however often one looks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from bench.paired.pair import Pair
from bench.stats import intervals
from bench.stats.intervals import Interval

FIRST_LOOK = 8  # pairs; with fewer than 7 no interval has both ends, and with 7 they are the least and the largest ratio
_MORE = 1.5  # times as many pairs at the next look
_PRECISE = math.log(1.01)  # how far an interval may reach to either side of the ratio, on a log scale; or further, if that is far from 1:
_PRECISE_SHARE = 0.05  # of its distance from 1


def interim_looks(pairs: Iterable[Pair], seconds: float) -> Iterator[tuple[list[Pair], Interval]]:
    """Yield the pairs so far with the interval of their median ratio, a over b: at each look, and a last time when the time is up.

    A look is due when the pairs have become half as many again; the time is up when the next pair would not end within the seconds.
    The interval holds however many looks there are.
    """
    taken: list[Pair] = []
    spent, longest, number, due = 0.0, 0.0, 1, FIRST_LOOK
    for pair in pairs:
        taken.append(pair)
        spent, longest = spent + pair.seconds, max(longest, pair.seconds)
        late = spent + longest > seconds
        if len(taken) >= due or late:
            yield taken, interval_at(taken, number)
            number, due = number + 1, math.ceil(len(taken) * _MORE)
        if late:
            return


def interval_at(pairs: Sequence[Pair], look: int) -> Interval:
    """Return the median ratio of the pairs, a over b, with its interval at the look of that number, counted from 1."""
    logs = intervals.anytime_interval([pair.log_ratio for pair in pairs], look)
    return Interval(*map(math.exp, logs)) if logs.known else logs._replace(value=math.exp(logs.value))


def is_precise(ratio: Interval) -> bool:
    """Return whether the interval is narrow enough for `versus` to stop: 1 % to either side, or 5 % of the way to 1 on a log scale."""
    reach = max(_PRECISE, _PRECISE_SHARE * abs(math.log(ratio.value)))
    return ratio.high <= ratio.value * math.exp(reach) and ratio.low >= ratio.value * math.exp(-reach)


def kept(pairs: Iterable[Pair], into: list[Pair]) -> Iterator[Pair]:
    """Yield the pairs, and put each into the list first, where it stays if the next one cannot be measured."""
    for pair in pairs:
        into.append(pair)
        yield pair
