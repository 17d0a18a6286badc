"""What a mistake on a grid may depend on, and how it is seen of a model and some images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from models.grid import GridMRF

STRONG, WEAK = 1.5, 1.0  # nats between the largest and the smallest entry of every table


def tables(model: GridMRF) -> Tensor:
    """Every edge's, (edges, K, K)."""
    K = model.shape[2]
    return torch.cat([model.right.reshape(-1, K, K), model.down.reshape(-1, K, K)])


def symmetric(model: GridMRF) -> bool:
    return torch.equal(tables(model), tables(model).mT)


def spread(model: GridMRF) -> Tensor:
    """Of each edge's table, in nats."""
    return tables(model).amax((1, 2)) - tables(model).amin((1, 2))


def repulsive(model: GridMRF) -> bool:
    """Whether some neighbours prefer other labels than their own."""
    return bool((tables(model).diagonal(dim1=1, dim2=2).amin(1) < tables(model).mean((1, 2))).any())


def count_of_labels(images: Tensor) -> Tensor:
    """How many labels are set at each pixel, (n, H, W)."""
    return images.sum(-1)


SHOWS: dict[str, Callable[[GridMRF, Tensor], bool]] = {
    "two labels": lambda m, x: m.shape[2] == 2,
    "three labels": lambda m, x: m.shape[2] == 3,
    "one table for all edges": lambda m, x: m.pair is not None,
    "tables that differ by site": lambda m, x: m.pair is None,
    "symmetric tables": lambda m, x: symmetric(m),
    "asymmetric tables": lambda m, x: not symmetric(m),
    "one asymmetric table": lambda m, x: m.pair is not None and not symmetric(m),
    "an even width": lambda m, x: m.shape[1] % 2 == 0,
    "an odd width": lambda m, x: m.shape[1] % 2 == 1,
    "an even height": lambda m, x: m.shape[0] % 2 == 0,
    "an odd height": lambda m, x: m.shape[0] % 2 == 1,
    "more columns than rows": lambda m, x: m.shape[1] > m.shape[0],
    "more rows than columns": lambda m, x: m.shape[0] > m.shape[1],
    "columns that are not at the border": lambda m, x: m.shape[1] > 2,
    "rows that are not at the border": lambda m, x: m.shape[0] > 2,
    "strong coupling": lambda m, x: bool((spread(m) > STRONG).any()),
    "weak coupling": lambda m, x: bool((spread(m) < WEAK).all()),
    "neighbours that repel": lambda m, x: repulsive(m),
    "neighbours that only attract": lambda m, x: not repulsive(m),
    "potentials of single pixels beside the image": lambda m, x: bool(m.unary.any()),
    "an image that differs by pixel": lambda m, x: bool((x != x[:, :1, :1]).any()),
    "an unobserved pixel": lambda m, x: bool((count_of_labels(x) == 0).any()),
    "a pixel seen with two labels of three": lambda m, x: m.shape[2] == 3 and bool((count_of_labels(x) == 2).any()),
}
