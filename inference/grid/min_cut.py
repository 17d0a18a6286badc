"""Minimum cut: a most probable labelling of two labels, exactly, where neighbours favour equal labels.

log p~ with two labels is, up to a constant, minus the capacity of a cut between a source (label 1) and a sink (label 0)
in a graph of the pixels (Greig, Porteous and Seheult 1989), if every edge is submodular:

    theta(0, 0) + theta(1, 1) >= theta(0, 1) + theta(1, 0)

The least cut is found by a maximum flow (`parts.graph_cut`; scipy's, of Dinic). Capacities are rounded to integers:
`dual_bound` is the labelling's log p~ plus all that rounding changed, and no labelling has more; for potentials that
are multiples of a power of 2, such as 10 and 2, nothing is rounded. One step.

Refused where an edge is not submodular, which it names, and beyond two labels: then `alpha_expansion` or `trw_s`.
Cost: that of a maximum flow, in practice from H W to a few hundred times that.
"""

from __future__ import annotations

import torch
from torch import Tensor

from errors import InputError
from inference.grid.parts.constraints import refuse_contradiction, softened
from inference.grid.parts.graph_cut import best_of_two, first_frustrated
from inference.grid.parts.point import Point, draw, expect, most_likely_alone, objective, said
from inference.method import Family, Info
from models.grid import GridMRF

FAMILY = Family.POINT
AT_WORK = 25  # times what latents and model take, in memory
State = Point

__all__ = ["FAMILY", "State", "draw", "expect", "init", "step"]


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None) -> Point:
    """Each pixel's best label by itself."""
    if model.shape[2] != 2:
        raise InputError(f"min_cut is for two labels, and this grid has {model.shape[2]}: use the method "
                         f"'alpha_expansion'")
    soft = softened(model)
    found = first_frustrated(soft.right, soft.down)
    if found:
        name, i, j, short = found
        raise InputError(f"min_cut needs edges that favour equal labels, and the edge '{name}' of row {i}, column {j} "
                         f"favours unequal ones by {short:.3g} nats: use the method 'trw_s'")
    labels = most_likely_alone(model, data)
    return Point(labels, objective(labels, model, data))


def step(rng: torch.Generator, state: Point, model: GridMRF, data: Tensor | None) -> tuple[Point, Info]:
    """The cut."""
    soft = softened(model)
    labels, slack = best_of_two(soft.field(data), soft.right, soft.down)
    bound = objective(labels, soft, data) + slack
    refuse_contradiction(bound, model, data)
    state = Point(labels.to(torch.uint8), objective(labels, model, data))
    return state, Info(objective=said(state.objective), dual_bound=bound, residual=0.0, converged=True)
