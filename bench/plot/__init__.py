"""Charts. Each module draws one kind; `charts` selects the charts for a set of rows."""
