"""A clock that stands still unless a test advances it."""

from types import SimpleNamespace


def clock(monkeypatch, *modules):
    """Replace the module `time` in these modules. Returns the only function that advances the clock, and a list of the time now."""
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    for module in modules:
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now[0], sleep=sleep))
    return sleep, now
