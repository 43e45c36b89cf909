"""Charts. Each module draws one kind; `charts` selects the charts for a set of rows."""

import os

# Charts need no backend for windows. A notebook names its own in MPLBACKEND, and Matplotlib refuses one that is not installed here.
_backend = os.environ.pop("MPLBACKEND", None)
import matplotlib  # noqa: E402, F401

if _backend is not None:
    os.environ["MPLBACKEND"] = _backend
