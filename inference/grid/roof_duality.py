"""Roof duality (QPBO): labels that every most probable labelling has, with two labels and couplings of either sign.

Up to a constant log p~ is sum_s u_s y_s - sum_st w_st [y_s != y_t] (`parts.graph_cut`), and with w of both signs it is
no cut. Give every pixel two nodes, of y_s and of its contrary 1 - y_s, and half of each term to either:

    w_st > 0:    w / 2 between y_s and y_t, and between their contraries
    w_st < 0:   -w / 2 between y_s and the contrary of y_t, and between the contrary of y_s and y_t

The least cut of that graph, in which contraries need not be contrary, is a linear program's optimum, the roof dual:
no labelling's log p~ is above it (`dual_bound`). A pixel of whose nodes exactly one is with the source in every least
cut has that label in every most probable labelling (P. Hammer, P. Hansen and B. Simeone, Mathematical Programming 28
(1984) 121; V. Kolmogorov and C. Rother, IEEE Trans. PAMI 29 (2007) 1274): `proved` is their share.
Capacities are rounded as those of `min_cut` are, and what that changed is in the bound; labels are proved for the
rounded potentials, so that a labelling with others may be better by that much.

The other pixels start from their best label by their field, all 0 or all 1, whichever is best, and each then takes its
best label given its neighbours until none changes. Where edges favour equal labels the answer is `min_cut`'s.

Refused beyond two labels. Cost: that of a maximum flow of twice the pixels, then 4 H W a sweep.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from errors import InputError
from inference.grid.parts.constraints import refuse_contradiction, softened
from inference.grid.parts.graph_cut import edges, ising, source_side
from inference.grid.parts.point import Point, better, draw, expect, most_likely_alone, objective, said
from inference.grid.parts.single_site import colours, conditional
from inference.method import Family, Info
from models.grid import GridMRF

FAMILY = Family.POINT
AT_WORK = 50  # times what latents and model take, in memory

__all__ = ["FAMILY", "State", "draw", "expect", "init", "step"]


@dataclass(frozen=True)
class State(Point):
    """The best labelling so far, which of its labels are proved, and what no labelling's log p~ exceeds."""

    proved: Bool[Tensor, "H W"]
    dual_bound: float  # nats; infinite before the cut


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None) -> State:
    """Each pixel's best label by itself, none of them proved."""
    if model.shape[2] != 2:
        raise InputError(f"roof_duality is for two labels, and this grid has {model.shape[2]}: use the method 'trw_s'")
    labels = most_likely_alone(model, data)
    return State(labels, objective(labels, model, data), torch.zeros_like(labels, dtype=torch.bool), float("inf"))


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """The cut at first; then one change of every pixel that is not proved. The residual is the share that changed."""
    before = state.labels
    state = duality(state, model, data) if state.dual_bound == float("inf") else state
    state = better(state, changed(state, softened(model), data), model, data)
    share = float((state.labels != before).double().mean())
    done = share == 0 or bool(state.proved.all())
    return state, Info(objective=said(state.objective), dual_bound=state.dual_bound, converged=done,
                       residual=0.0 if done else share, proved=float(state.proved.double().mean()))


def duality(state: State, model: GridMRF, data: Tensor | None) -> State:
    """The proved labels, and the best of three fillings of the others."""
    soft = softened(model)
    field = soft.field(data)
    one, contrary, above = roof(*ising(field, soft.right, soft.down))
    labels, known = torch.from_numpy(one).to(field.device), torch.from_numpy(one != contrary).to(field.device)
    bound = objective(torch.zeros_like(state.labels), soft, data) + above
    refuse_contradiction(bound, model, data)
    state = replace(state, proved=known, dual_bound=bound)
    start = replace(state, objective=-float("inf"))  # what was before the cut need not have the proved labels
    for filling in (state.labels.bool(), torch.zeros_like(known), torch.ones_like(known)):
        start = better(start, torch.where(known, labels, filling), soft, data)
    return replace(start, objective=objective(start.labels, model, data))


def roof(u: Float64[np.ndarray, "H W"], right: Float64[np.ndarray, "H W-1"], down: Float64[np.ndarray, "H-1 W"]
         ) -> tuple[Bool[np.ndarray, "H W"], Bool[np.ndarray, "H W"], float]:
    """Whether y_s is with the source, whether its contrary is, and how far a labelling may be above all 0, nats."""
    n, at = u.size, np.arange(u.size).reshape(u.shape)
    s, t, w = edges(at, right, down)
    first = np.concatenate([s, s + n])
    second = np.concatenate([np.where(w > 0, t, t + n), np.where(w > 0, t + n, t)])
    between, weight = np.abs(np.concatenate([w, w])) / 2, u.ravel() / 2
    rows = np.concatenate([first, second, np.full(2 * n, 2 * n), np.arange(2 * n)])
    columns = np.concatenate([second, first, np.arange(2 * n), np.full(2 * n, 2 * n + 1)])
    inflow = np.concatenate([weight, -weight])
    exact = np.concatenate([between, between, np.maximum(inflow, 0), np.maximum(-inflow, 0)])
    side, slack = source_side(2 * n, rows, columns, exact)
    everything = np.append(side, [True, False])
    least = float(exact[everything[rows] & ~everything[columns]].sum())
    above = float(np.maximum(u, 0).sum() + np.maximum(-w, 0).sum()) - least + slack
    return side[:n].reshape(u.shape), side[n:].reshape(u.shape), above


def changed(state: State, model: GridMRF, data: Tensor | None) -> Tensor:
    """Every pixel that is not proved to its best label given its neighbours, one colour after the other."""
    y, field = state.labels.long(), model.field(data)
    for pixels in colours(field):
        value = conditional(y, field, model.right, model.down)
        top, best = value.max(-1)
        up = top > value.gather(-1, y[..., None])[..., 0]
        y = torch.where(pixels & up & ~state.proved, best, y)
    return y
