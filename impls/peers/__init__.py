"""Trainers in JAX and PyTorch, written as users of these frameworks write them."""
