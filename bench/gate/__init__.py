"""Is the working tree slower than its base? The rule, the judge, the verdicts, and how often they are right."""

MARGIN = 0.01  # by how much slower is slower, if nothing else is asked for
SECONDS = 90.0  # for each trainer, likewise
