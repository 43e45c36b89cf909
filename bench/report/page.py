"""`python -m bench report`: one HTML page with all results, which opens offline and prints well.

The folder browser has the text, the style and the drawing code. This module inserts them, the data and the charting library into
page.html. Vega-Lite draws the charts. The package vl-convert-python contains it as one script.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import records
from bench.analysis import namesakes
from bench.report.figures import figures
from bench.system import files
from impls import InputError
from impls.extras import install
from impls.programs import pip

_BROWSER = Path(__file__).with_name("browser")
# In the order in which they need each other.
_SCRIPTS = (
    "data", "formats", "glossary", "tables", "charts", "selection", "trainers", "scaling", "anatomy", "roofline", "maps", "history",
    "learning", "page",
)  # fmt: skip


def report(paths: Sequence[Path], file: Path, *, broken: Callable[[Path, InputError], None] | None = None) -> None:
    """Write the page of these CSVs, or of directories of CSVs.

    broken: called with each file that cannot be read, instead of raising; the page then skips the file
    Raises InputError if a file cannot be read, or if the page cannot be written.
    """
    sources = records.files(paths)
    left_out = set()

    def leave_out(path: Path, error: InputError) -> None:
        left_out.add(path)
        if broken:
            broken(path, error)

    table = namesakes.read(sources, broken=leave_out if broken else None)
    records.check_writable(file.parent, option="-o")
    page = _page(figures(table), "".join(records.neutral(source) for source in sources if source not in left_out))
    try:
        files.atomic_write(file, page)
    except OSError as error:
        raise InputError(f"-o {file}", f"cannot write it ({error.strerror})", "name another file") from error


def _page(data: dict[str, Any], rows: str) -> str:
    """Return the page. rows: all CSVs, concatenated"""
    try:
        import vl_convert
    except ImportError as error:
        raise InputError(
            "report", "the charting library is not installed", f"{install('report')}, or {pip()} install vl-convert-python"
        ) from error
    parts = {
        "style": _text("page.css"),
        "figures": _packed(json.dumps(data, allow_nan=False)),
        "raw": _packed(rows),
        "library": _packed(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")),
        "drawing": "\n".join(_text(f"{name}.js") for name in _SCRIPTS),
    }
    return re.sub(r"/\*(style|figures|raw|library|drawing)\*/", lambda found: parts[found[1]], _text("page.html"))


def _text(name: str) -> str:
    return (_BROWSER / name).read_text(encoding="utf-8")


def _packed(text: str) -> str:
    """Return the text compressed by gzip, in base64: smaller, and no text in it can end the script element that contains it."""
    return base64.b64encode(gzip.compress(text.encode("utf-8"), 9, mtime=0)).decode("ascii")
