"""What an epoch costs at least, from the shapes alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def epoch_flops(layers: Sequence[int], examples: int) -> int:
    """Return the floating-point operations of the matrix products of an epoch; a multiplication and an addition count 2.

    For one example, layer l needs n_l n_{l-1} multiply-adds for z_l, as many for nabla_w_l (BP4), and, but for the first, as many
    for the delta of the layer below (BP2). Biases, sigmoids and the step itself are left out: they are of lower order.
    """
    products = [above * below for below, above in pairwise(layers)]
    return 2 * examples * (2 * sum(products) + sum(products[1:]))
