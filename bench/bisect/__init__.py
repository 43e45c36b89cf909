"""Search for the commits from which a trainer is slower: a noisy binary search, each step a pair of processes."""

MARGIN = 0.01  # default for the smallest slowdown to find
SECONDS = 600.0  # default time budget
SURE = 0.95  # probability of a commit at which the search measures it against its parent
