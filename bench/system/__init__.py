"""Interfaces to the operating system: signals, standard streams, files, processes, git."""
