"""Speed of a trainer at each commit of a range, paired with one base."""

PAIRS = 8  # default number of pairs per commit
SECONDS = 1800.0  # default time budget
NEWEST = 30  # commits, if no range is given
