"""Max-product belief propagation, decoded: one labelling that is consistent where the largest beliefs are tied.

    lambda_st(l) = max_k(field_s(k) + sum over neighbours n of s but t of lambda_ns(k) + pair_st(k, l))        (nats)

sent right, left, down and up through the image, each from the newest (Pearl 1988; Weiss and Freeman 2001). On a tree
field_s + all lambda are the max-marginals after one sweep. Their largest labels are a most probable labelling only
where no two are equal, so labels are decoded one after the other in raster order, each given those already chosen:

    y_s = argmax_k( field_s(k) + theta(y_left, k) + theta(y_above, k) + lambda_right(k) + lambda_below(k) )

which on a tree is a most probable labelling, ties or not. On a grid nothing is promised, nor that the messages settle:
the answer is the best labelling of all sweeps. `loopy_bp:rule=max` has the max-marginals themselves.

Cost of a sweep: 4 H W K^2, and 2 H W K for the decoding.

Options:

    damping   share of the old message in a new one, from 0 to below 1
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Int64
from torch import Tensor

from errors import InputError
from inference.grid.compiled import decoding
from inference.grid.parts.constraints import softened
from inference.grid.parts.point import Point, better, draw, expect, most_likely_alone, objective, said
from inference.grid.parts.scans import Messages, Weighted, plain, planes, sweep
from inference.method import Family, Info
from models.grid import GridMRF

FAMILY = Family.POINT
AT_WORK = 10  # times what latents and model take, in memory
CONVERGED = 1e-8  # nats

__all__ = ["FAMILY", "State", "draw", "expect", "init", "step"]


@dataclass(frozen=True)
class State(Point):
    """The best labelling so far, and the messages."""

    messages: Messages
    damping: float


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *, damping: float = 0.0) -> State:
    """No messages yet: 0 nats."""
    if not 0 <= damping < 1:
        raise InputError(f"damping of max_product must be at least 0 and below 1, not {damping}")
    labels = most_likely_alone(model, data)
    return State(labels, objective(labels, model, data),
                 planes(model.unary.new_zeros(4, *model.shape)), float(damping))


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """A sweep and its labelling; the residual is the largest change of a message, in nats."""
    grid = plain(softened(model), data)
    messages, residual = sweep(state.messages, grid, state.damping, torch.amax)
    state = better(replace(state, messages=messages), decoded(messages, grid), model, data)
    return state, Info(objective=said(state.objective), residual=residual, converged=residual <= CONVERGED)


def decoded(messages: Messages, grid: Weighted) -> Int64[Tensor, "H W"]:
    """Labels in raster order, each the best given those to its left and above."""
    ahead = grid.field + messages[1] + messages[3]
    labels = torch.zeros(ahead.shape[:2], dtype=torch.int64)
    decoding.decode(labels.numpy(), *(t.cpu().numpy() for t in (ahead, grid.right, grid.down)))
    return labels.to(ahead.device)
