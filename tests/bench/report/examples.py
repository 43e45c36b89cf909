"""Times of made-up machines for the page."""

HOSTILE = "</script><img src=x onerror=alert(1)>'\"&{{7*7}}"
NAMED = {("nielsen", "loop"): 1.0, ("nielsen", "matrix"): 0.1, ("wide", "loop"): 2.0, ("wide", "matrix"): 0.1}
GRID = {(f"h{w}-b{b}", name): t for w in (30, 100) for b in (1, 10, 1000) for name, t in (("matrix", 0.01), ("gpu", 1 / b))}
TRAINING = {("nielsen", "matrix"): [0.1] * 5}
