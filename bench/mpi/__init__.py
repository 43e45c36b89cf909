"""The MPI commands: `scale` times an epoch over several ranks and predicts it for more; `fleet` benchmarks every host of an allocation."""
