"""What the operating system offers: signals, standard streams, files, processes, git."""
