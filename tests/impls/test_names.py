"""Names of trainers of one's own, module:Class."""

import pytest

from impls import load_trainer, locate
from tests.support.refusals import refused


def test_a_class_may_be_inside_another_class(tmp_path, monkeypatch):
    (tmp_path / "nested.py").write_text("from impls.matrix import Matrix\n\nclass Outer:\n    class Inner(Matrix):\n        pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_trainer("nested:Outer.Inner").__qualname__ == "Outer.Inner"
    with refused("trainer 'nested:Outer.Other'", "AttributeError", "'Other'"):
        load_trainer("nested:Outer.Other")


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("lib/mine.py", "lib.mine"),
        ("./mine.py", "mine"),
        ("/home/me/mine.py", "mine"),
        ("lib\\mine.py", "lib.mine"),
        ("C:\\lib\\mine.py", "mine"),
    ],
)
def test_a_file_in_place_of_a_module_is_refused_with_the_name_of_the_module(file, module):
    with refused(f"trainer '{file}:Mine'".replace("\\", "\\\\"), f" {module}:Mine"):
        locate(f"{file}:Mine")
