"""Verification of trainers: against the oracle before timing, against the contract during timing."""
