"""Charts: each kind a module; `charts` says which are drawn of which rows."""
