"""Alpha-expansion: for one label at a time, the best set of pixels to change to it, by a minimum cut.

Of all labellings that keep each pixel's label or give it the label a, the best is a cut of two labels, stay and change
(`parts.graph_cut`), if for all labels j, k, a and every edge, with V = -theta,

    V(j, k) + V(a, a) <= V(j, a) + V(a, k)

(Boykov, Veksler and Zabih 2001; Kolmogorov and Zabih 2004), which for V(k, k) = 0 is the triangle inequality of a
metric. A sweep tries every label once. log p~ never falls, and the method ends when no label is worth a change: the
energy -log p~, counted from 0 field and V(k, k) = 0, is then at most 2 max V / min V (over unequal labels) times the
least. With two labels it is the best there is. Where V is no metric the method refuses and names the labels and edge.

Cost of a sweep: K minimum cuts of H W pixels.
"""

from __future__ import annotations

import torch
from jaxtyping import Int64
from torch import Tensor

from errors import InputError
from inference.grid.parts.constraints import softened
from inference.grid.parts.graph_cut import ROUNDING, best_of_two
from inference.grid.parts.point import Point, better, draw, expect, most_likely_alone, objective, said
from inference.method import Family, Info
from models.grid import GridMRF, distinct

FAMILY = Family.POINT
AT_WORK = 26  # times what latents and model take, in memory
State = Point

__all__ = ["FAMILY", "State", "draw", "expect", "init", "step"]


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None) -> Point:
    """Each pixel's best label by itself."""
    for name in ("right", "down"):
        refuse_unless_metric(name, distinct(getattr(softened(model), name)))
    labels = most_likely_alone(model, data)
    return Point(labels, objective(labels, model, data))


def refuse_unless_metric(name: str, table: Tensor) -> None:
    """Errors: InputError with three labels and an edge for which an expansion is no cut."""
    K, rounding = table.shape[-1], ROUNDING * float(table.abs().max()) if table.numel() else 0.0
    for a in range(K):
        gain = table + table[..., a, a, None, None] - table[..., :, a, None] - table[..., None, a, :]
        wrong = gain < -rounding
        if bool(wrong.any()):
            i, j, k, l = (int(x[0]) for x in wrong.nonzero(as_tuple=True))
            where = f"the edge '{name}' of row {i}, column {j}" if table.shape[:2] != (1, 1) else "the coupling"
            what = f"{k} and {a} go ill with themselves"
            if k != l:
                what = f"{k} and {l} are farther apart than by way of {a}"
            raise InputError(f"alpha_expansion needs a metric between labels, and {where} is none: labels {what}, by "
                             f"{-float(gain[i, j, k, l]):.3g} nats: use the method 'trw_s'")


def step(rng: torch.Generator, state: Point, model: GridMRF, data: Tensor | None) -> tuple[Point, Info]:
    """Every label once; the residual is the share of pixels that changed."""
    before = state.labels
    for label in range(model.shape[2]):
        state = better(state, expanded(state.labels.long(), label, softened(model), data), model, data)
    changed = float((state.labels != before).double().mean())
    return state, Info(objective=said(state.objective), residual=changed, converged=changed == 0)


def expanded(labels: Int64[Tensor, "H W"], label: int, model: GridMRF, data: Tensor | None) -> Int64[Tensor, "H W"]:
    """The best labelling in which every pixel has kept its label or has this one."""
    choice = torch.stack([labels, torch.full_like(labels, label)], -1)  # of staying and changing
    H, W = labels.shape
    rows, columns = torch.arange(H, device=labels.device)[:, None], torch.arange(W, device=labels.device)

    def pairs(table: Tensor, i: Tensor, j: Tensor, near: Tensor, far: Tensor) -> Tensor:
        return table[i[..., None, None], j[..., None, None], near[..., :, None], far[..., None, :]]

    field = model.field(data).gather(-1, choice)
    right = pairs(model.right, rows, columns[:-1], choice[:, :-1], choice[:, 1:])
    down = pairs(model.down, rows[:-1], columns, choice[:-1], choice[1:])
    change, _ = best_of_two(field, right, down)
    return torch.where(change == 1, label, labels)
