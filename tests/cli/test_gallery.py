"""results/: the table of machines in README.md, and the page, are those of the committed CSVs."""

from results import gallery


def test_the_table_of_machines_is_up_to_date():
    readme = (gallery.RESULTS / "README.md").read_text(encoding="utf-8")
    assert gallery.with_table(readme) == readme, "run python results/gallery.py"
