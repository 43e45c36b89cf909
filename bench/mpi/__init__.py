"""One epoch over several ranks, a prediction for more, and one job on every host of an allocation."""
