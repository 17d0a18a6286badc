"""Iterated conditional modes: every label in turn to the best given its neighbours'; a local maximum of log p~.

    y_ij <- argmax_k lambda_ij(k),
    lambda_ij(k) = field_ij(k) + sum over the neighbours n of theta(k, y_n)          (nats)

(Besag 1986). The start is each pixel's best label by itself. A sweep updates one colour of the checkerboard, whose
pixels do not touch, then the other: log p~ never falls, and the method ends when nothing changes. Of equally good
labels a pixel keeps its own. Mean field at temperature 0 is the same.

Cost of a sweep: 8 H W K additions.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from inference.grid.parts.constraints import softened
from inference.grid.parts.point import Point, draw, expect, most_likely_alone, objective, said
from inference.grid.parts.single_site import colours, conditional
from inference.method import Family, Info
from models.grid import GridMRF

FAMILY = Family.POINT
AT_WORK = 7  # times what latents and model take, in memory
State = Point

__all__ = ["FAMILY", "State", "draw", "expect", "init", "step"]


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None) -> Point:
    labels = most_likely_alone(model, data)
    return Point(labels, objective(labels, model, data))


def step(rng: torch.Generator, state: Point, model: GridMRF, data: Tensor | None) -> tuple[Point, Info]:
    """Both colours once; the residual is the share of pixels that changed."""
    soft, y = softened(model), state.labels.long()
    field = soft.field(data)
    for pixels in colours(field):
        value = conditional(y, field, soft.right, soft.down)
        top, best = value.max(-1)
        y = torch.where(pixels & (top > value.gather(-1, y[..., None])[..., 0]), best, y)
    changed = float((y != state.labels).double().mean())
    state = replace(state, labels=y.to(torch.uint8), objective=objective(y, model, data))
    return state, Info(objective=said(state.objective), residual=changed, converged=changed == 0)
