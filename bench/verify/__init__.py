"""Does a trainer compute the same as the reference? The oracle before it is timed, the contract while it is timed."""
