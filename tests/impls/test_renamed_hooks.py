"""Tests of trainers with the hook names of version 0.1: they train the same, and a warning names the new hook."""

import importlib
import sys
import warnings

import numpy as np
import pytest

from impls import Network, Trainer, load_trainer, unavailable
from impls.loop import Loop
from impls.testing import same_bits, trained

OLD_STYLE = """
from impls import Network, Trainer
from impls.loop import Loop


class Mine(Trainer):
    def _place(self, data):
        self.calls, self.inner = ["_place"], Loop
        self.data = data

    def _load(self, network):
        self.calls.append("_load")
        self.inner = Loop(network, self.data, batch_size=self.batch_size, learning_rate=self.learning_rate)

    def _epoch(self, order):
        self.inner.train_epoch(order)

    def _wait(self):
        self.calls.append("_wait")
        super()._wait()

    def network(self):
        return self.inner.network()
"""


@pytest.fixture
def old_style(tmp_path, monkeypatch):
    """The class in `old_style.py`, and the warnings from its import."""
    (tmp_path / "old_style.py").write_text(OLD_STYLE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "old_style", raising=False)
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        kind = importlib.import_module("old_style").Mine
    return kind, given


def start_of(small):
    return Network.scaled([6, 4, 3], dtype=np.float64), small


def test_old_names_train_the_same_and_each_warns_once_at_the_class_statement(old_style, small):
    kind, given = old_style
    start, data = start_of(small)
    assert same_bits(trained(kind, start, data, batch_size=4), trained(Loop, start, data, batch_size=4))
    trainer = kind(start, data, batch_size=4, learning_rate=1.0)
    assert trainer.calls == ["_place", "_load", "_wait", "_wait"]
    assert [str(one.message).partition(", before")[0] for one in given] == [
        "old_style.Mine._place: renamed; call it _setup",
        "old_style.Mine._load: renamed; call it _set_weights",
        "old_style.Mine._wait: renamed; call it _synchronize",
    ]
    for one in given:
        assert one.category is DeprecationWarning
        assert one.filename.endswith("old_style.py")


def test_load_trainer_accepts_old_names_if_warnings_are_errors(old_style, monkeypatch):
    monkeypatch.delitem(sys.modules, "old_style")
    with pytest.warns(DeprecationWarning, match="renamed"):
        assert load_trainer("old_style:Mine").__name__ == "Mine"


def test_old_and_new_names_mix_in_a_chain(small):
    called = []
    with pytest.warns(DeprecationWarning, match="_load: renamed"):

        class Old(Loop):
            def _load(self, network):
                called.append("Old")
                super()._load(network)

    class New(Old):
        def _set_weights(self, network):
            called.append("New")
            super()._set_weights(network)

    with pytest.warns(DeprecationWarning, match="_load: renamed"):

        class OldAgain(New):
            def _load(self, network):
                called.append("OldAgain")
                super()._load(network)

    start, data = start_of(small)
    assert same_bits(trained(OldAgain, start, data, batch_size=4), trained(Loop, start, data, batch_size=4))
    assert called == ["OldAgain", "New", "Old"]


def test_a_mixin_can_have_the_old_names(small):
    class Counts:  # not a trainer, so its own definition does not warn
        def _load(self, network):
            self.loaded = True
            super()._load(network)

    with pytest.warns(DeprecationWarning, match=r"Counting\._load: renamed"):

        class Counting(Counts, Loop):
            pass

    class Further(Counting):  # does not warn a second time
        pass

    start, data = start_of(small)
    assert Further(start, data, batch_size=4, learning_rate=1.0).loaded


def test_a_class_with_both_names_uses_the_new_one_without_a_warning(small):
    class Both(Loop):
        def _set_weights(self, network):
            self.by = "new"
            super()._set_weights(network)

        def _load(self, network):  # for versions with only this name
            self.by = "old"

    start, data = start_of(small)
    assert Both(start, data, batch_size=4, learning_rate=1.0).by == "new"


def test_a_class_without_a_hook_stays_abstract():
    class Half(Trainer):
        def _setup(self, data):
            pass

    assert Half.__abstractmethods__ == {"_set_weights", "_epoch", "network"}


@pytest.mark.skipif(bool(unavailable("mpi")), reason=str(unavailable("mpi")))
def test_an_mpi_trainer_can_still_choose_its_device_in_settle():
    from impls.mpi import Mpi

    with pytest.warns(DeprecationWarning, match=r"Picky\.settle: renamed; call it choose_device"):

        class Picky(Mpi):
            @classmethod
            def settle(cls, ranks):
                return ranks

    assert Picky.choose_device(3) == 3
