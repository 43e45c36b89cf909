"""results/: the table of machines in README.md, and the page, are those of the committed CSVs."""

import json

from bench.analysis import namesakes
from bench.report.figures import figures
from results.gallery import RESULTS, published, with_table
from tests.support.pages import part


def test_the_table_of_machines_is_up_to_date():
    readme = (RESULTS / "README.md").read_text(encoding="utf-8")
    assert with_table(readme) == readme, "run python results/gallery.py"


def test_the_page_is_up_to_date_and_small():
    page = RESULTS / "index.html"
    present = figures(namesakes.read(published()))
    assert json.loads(part(page, "figures")) == json.loads(json.dumps(present)), "run python results/gallery.py"
    assert page.stat().st_size < 1e6
