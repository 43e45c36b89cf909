"""Paired timing of two contenders: fresh processes, alternating epochs, and an interval for the ratio."""
