"""A timing run: cases, the run they share, the watchdog, training, the terminal summary."""
