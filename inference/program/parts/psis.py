"""Pareto-smoothed importance weights, by ArviZ; and k-hat, the shape of their tail."""

from __future__ import annotations

import torch
from torch import Tensor

from inference.result import import_arviz

LEAST = 25  # weights that a tail can be fitted to


def smoothed(weights: Tensor) -> tuple[Tensor, float | None]:
    """The log weights with their largest replaced by quantiles of the fitted tail, and k-hat; None for too few.

    They keep their size: ArviZ normalises them.
    """
    if len(weights) < LEAST:
        return weights, None
    found, k = import_arviz().psislw(weights.numpy())
    smooth = torch.as_tensor(found)
    shift = weights.median() - smooth.median()  # only the largest are changed
    return smooth + shift, float(k)
