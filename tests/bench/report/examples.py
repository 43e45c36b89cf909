"""CSVs of made-up machines for the page, and what the page contains of them."""

import base64
import gzip
import re

HOSTILE = "</script><img src=x onerror=alert(1)>'\"&{{7*7}}"
NAMED = {("nielsen", "loop"): 1.0, ("nielsen", "matrix"): 0.1, ("wide", "loop"): 2.0, ("wide", "matrix"): 0.1}
GRID = {(f"h{w}-b{b}", name): t for w in (30, 100) for b in (1, 10, 1000) for name, t in (("matrix", 0.01), ("gpu", 1 / b))}
TRAINING = {("nielsen", "matrix"): [0.1] * 5}


def part(page, name):
    """Return the contents of one of the packed parts of the page: figures, raw or library."""
    packed = re.search(rf'<script id="{name}"[^>]*>(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)[1]
    return gzip.decompress(base64.b64decode(packed))
