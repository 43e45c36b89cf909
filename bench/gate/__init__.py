"""Is the working tree slower than its base? The rule, the judge, the verdicts, and how often they are right."""
