"""Skips for cases that a trainer does not support."""

import pytest

from impls import Unsupported


def or_skip(kind):
    """Return the trainer's constructor, changed so that Unsupported skips the test with its reason."""

    def make(*arguments, **options):
        try:
            return kind(*arguments, **options)
        except Unsupported as reason:
            pytest.skip(str(reason))

    return make


def run_or_skip(check, kind):
    """Run a check on a trainer's class. Skip the test if the trainer raises Unsupported."""
    try:
        check(kind)
    except Unsupported as reason:
        pytest.skip(str(reason))
