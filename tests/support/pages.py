"""What a page of `report` contains."""

import base64
import gzip
import re


def part(page, name):
    """Return the contents of one of the packed parts of the page: figures, raw or library."""
    packed = re.search(rf'<script id="{name}"[^>]*>(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)[1]
    return gzip.decompress(base64.b64decode(packed))
