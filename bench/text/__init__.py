"""Text formatting of numbers and tables."""
