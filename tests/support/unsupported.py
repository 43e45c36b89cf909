"""A case for which a trainer was not made, as a skip with its reason."""

import pytest

from impls import Unsupported


def or_skip(kind):
    """The trainer's constructor, for which a case it was not made for is a skip, with its reason."""

    def make(*arguments, **options):
        try:
            return kind(*arguments, **options)
        except Unsupported as reason:
            pytest.skip(str(reason))

    return make


def run_or_skip(check, kind):
    """Run a check on a trainer's class; skip it if the trainer was not made for its case."""
    try:
        check(kind)
    except Unsupported as reason:
        pytest.skip(str(reason))
