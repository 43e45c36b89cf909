"""Timing runs: cases, shared state, watchdog, training, terminal summary."""
