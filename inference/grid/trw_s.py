"""Sequential tree-reweighted message passing: a labelling, and a bound that no labelling's log p~ exceeds.

Split the model into the chains of its rows and those of its columns, each pixel's potential in two halves. Whatever
messages M have moved between pixels and edges,

    log p~(y) = sum_s b_s(y_s) + sum over edges of psi_st(y_s, y_t)                        for all y, in nats
    b_s(k)    = field_s(k) + sum over neighbours n of M_ns(k),    psi_st(k, l) = theta_st(k, l) - M_ts(k) - M_st(l)

and so  max log p~ <= sum over all chains of the largest sum of b / 2 and psi along it, which `parts.chains` works out
exactly after every sweep: `dual_bound`, the lowest so far, is a bound at any messages. They are sent in raster order
to the right and below, then backwards to the left and above (Kolmogorov 2006), which lowers the bound:

    M_st(l) = max_k( b_s(k) / 2 - M_ts(k) + theta_st(k, l) )

On the way forward each pixel takes its best label given those chosen before it; the answer is the best labelling of
all sweeps. Where its log p~ meets the bound it is a most probable one, and the method ends. With two labels and
edges that favour equal ones it comes to that; else the bound may stop above; at best it is that of the linear
program over marginals that agree on every edge.

Cost of a sweep: 4 H W K^2, and 2 H W K^2 for the bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64
from torch import Tensor

from errors import InputError
from inference.grid.compiled import trw_s as trw_s_numba
from inference.grid.parts import chains
from inference.grid.parts.constraints import refuse_contradiction, softened
from inference.grid.parts.point import Point, better, draw, expect, most_likely_alone, objective, said
from inference.grid.parts.scans import Weighted
from inference.method import Family, Info
from models.grid import GridMRF

FAMILY = Family.POINT
AT_WORK = 25  # times what latents and model take, in memory
MET = 1e-12  # of the sum of all potentials, that rounding makes

__all__ = ["FAMILY", "State", "draw", "expect", "init", "step"]


@dataclass(frozen=True)
class State(Point):
    """The best labelling so far, the messages and the lowest bound."""

    messages: Float64[Tensor, "4 H W K"]  # what a pixel gets from its left, right, upper and lower neighbour
    dual_bound: float


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None) -> State:
    """No messages yet: 0 nats."""
    if model.device.type != "cpu":
        raise InputError(f"trw_s visits one pixel at a time, which is of no use on {model.device}: use the method "
                         f"'max_product'")
    labels = most_likely_alone(model, data)
    messages = torch.zeros(4, *model.shape, dtype=torch.float64, device=model.device)
    return State(labels, objective(labels, model, data), messages, float("inf"))


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """Forward and backward once; the residual is the largest change of a message, 0 where the bound is met."""
    H, W, _ = model.shape
    one = model.unary.new_ones(())
    soft = softened(model)
    grid = Weighted.of(soft, data, one.expand(H, W - 1), one.expand(H - 1, W))
    messages = state.messages.clone()
    labels = torch.zeros(H, W, dtype=torch.int64)
    trw_s_numba.sweep(messages.numpy(), labels.numpy(), grid.field.contiguous().numpy(), soft.right.numpy(),
                      soft.down.numpy(), shares(H, W))
    bound, moved = min(state.dual_bound, dual_bound(messages, grid)), float((messages - state.messages).abs().max())
    state = better(replace(state, messages=messages, dual_bound=bound), labels, model, data)
    refuse_contradiction(bound, model, data)
    scale = sum(float(t.abs().sum()) for t in (grid.field, grid.right, grid.down))
    met = bound - state.objective <= MET * scale
    return state, Info(objective=said(state.objective), dual_bound=bound, residual=0.0 if met else moved, converged=met)


def shares(H: int, W: int) -> float:
    """The share of its potential that each of a pixel's chains has: both a half, or the only one all.

    >>> shares(3, 4), shares(1, 4)
    (0.5, 1.0)
    """
    return 1.0 if min(H, W) == 1 else 0.5


def dual_bound(messages: Tensor, grid: Weighted) -> float:
    """The largest log p~ of every row and every column, added up, in nats."""
    (H, W, _), (right, down) = grid.field.shape, grid.edges(messages)
    b = shares(H, W) * grid.beliefs(messages)
    rows = chains.total(b, right, torch.amax).sum() if W > 1 or H == 1 else 0.0
    columns = chains.total(b.transpose(0, 1), down.transpose(0, 1), torch.amax).sum() if H > 1 else 0.0
    return float(rows + columns)
