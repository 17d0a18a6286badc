"""Integer programming: a most probable labelling, proved, by branch and bound over the local polytope.

    maximise    sum_s field_s(k) x_s(k) + sum_(s, t) theta_st(k, l) z_st(k, l)
    over        x in {0, 1}, sum_k x_s(k) = 1;   z >= 0, sum_l z_st(k, l) = x_s(k), sum_k z_st(k, l) = x_t(l)

z is then x_s(k) x_t(l), so that the optimum is the best labelling, whatever the couplings; without the integers it is
Schlesinger's relaxation, the bound that `trw_s` looks for. HiGHS (scipy's `milp`) closes the gap between `objective`
and `dual_bound`, or stops after `seconds` with what is left of it. One step.

Cost: exponential in the worst case; where the relaxation is tight or nearly so, that of a linear program of
H W (K + 2 K^2) variables, seconds for 100 x 100 pixels and two labels. Source: M. Wainwright and M. Jordan,
Foundations and Trends in Machine Learning 1 (2008), 8.

Options:

    seconds   after so long the bound that has been reached is given
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array
from torch import Tensor

from errors import InputError
from inference.grid.parts.constraints import refuse_contradiction, softened
from inference.grid.parts.point import Point, better, draw, expect, most_likely_alone, objective, said
from inference.method import Family, Info
from models.grid import GridMRF

FAMILY = Family.POINT
LARGEST = 2_000_000  # variables of the program
A_VARIABLE = 2_000  # bytes that HiGHS takes for each

__all__ = ["FAMILY", "State", "draw", "expect", "init", "step"]


@dataclass(frozen=True)
class State(Point):
    """The best labelling so far, and for how long HiGHS may look for a better one."""

    seconds: float


def variables(model: GridMRF) -> int:
    """Of the program: the labels of pixels, and pairs of labels for about two edges a pixel."""
    H, W, K = model.shape
    return H * W * (K + 2 * K * K)


def footprint(model: GridMRF, data: Tensor | None, **_: object) -> int:
    """A chain at work, bytes; no more than the largest program that is tried."""
    return A_VARIABLE * min(variables(model), LARGEST)


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *, seconds: float = 60.0) -> State:
    """Each pixel's best label by itself; `seconds`: after so long the bound that has been reached is given."""
    size = variables(model)
    if size > LARGEST:
        raise InputError(f"a program of {size} variables is more than the {LARGEST} that are tried: use the method "
                         f"'trw_s', which bounds what a labelling lacks")
    if not seconds > 0:
        raise InputError(f"integer_programming's seconds must be above 0, not {seconds:g}")
    labels = most_likely_alone(model, data)
    return State(labels, objective(labels, model, data), seconds)


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """The program, solved or stopped."""
    soft = softened(model)
    H, W, K = model.shape
    gains, rows = program(soft, data)
    free = np.arange(len(gains)) < H * W * K
    found = milp(-gains, integrality=free, bounds=Bounds(0, 1), constraints=LinearConstraint(rows, *sides(H * W, rows)),
                 options={"time_limit": state.seconds, "mip_rel_gap": 0.0})
    if found.x is not None:
        labels = torch.from_numpy(found.x[:H * W * K].reshape(H, W, K).argmax(-1)).to(model.device)
        state = better(state, labels, model, data)
    bound = None if found.mip_dual_bound is None else -float(found.mip_dual_bound)
    if bound is not None:
        bound = max(bound, state.objective)
        refuse_contradiction(bound, model, data)
    return state, Info(objective=said(state.objective), dual_bound=bound, residual=0.0, converged=found.status == 0)


def program(model: GridMRF, data: Tensor | None) -> tuple[Float64[np.ndarray, "n"], csr_array]:
    """What each variable gains, nats, and the left sides of the constraints: pixels first, then edges by their ends."""
    H, W, K = model.shape
    at = np.arange(H * W).reshape(H, W)
    ends = np.concatenate([np.stack([at[:, :-1], at[:, 1:]], -1).reshape(-1, 2),
                           np.stack([at[:-1], at[1:]], -1).reshape(-1, 2)])
    gains = torch.cat([t.reshape(-1) for t in (model.field(data), model.right, model.down)]).cpu().numpy()
    return gains, left_sides(H * W, K, ends)


def left_sides(n: int, K: int, ends: Int64[np.ndarray, "m 2"]) -> csr_array:
    """sum_k x_s(k) for every pixel; sum_l z(k, l) - x_s(k) and sum_k z(k, l) - x_t(l) for every edge and label."""
    m = len(ends)
    z = n * K + np.arange(m * K * K).reshape(m, K, K)
    row = n + np.arange(2 * m * K).reshape(2, m, K)
    own = ends.T[:, :, None] * K + np.arange(K)
    i = [np.repeat(np.arange(n), K), np.repeat(row[0].ravel(), K), np.repeat(row[1].ravel(), K), row.ravel()]
    j = [np.arange(n * K), z.ravel(), z.transpose(0, 2, 1).ravel(), own.ravel()]
    values = [np.ones(n * K + 2 * m * K * K), -np.ones(2 * m * K)]
    return csr_array((np.concatenate(values), (np.concatenate(i), np.concatenate(j))),
                     shape=(n + 2 * m * K, n * K + m * K * K))


def sides(n: int, rows: csr_array) -> tuple[Float64[np.ndarray, "r"], Float64[np.ndarray, "r"]]:
    """The right sides, from below and from above: 1 for pixels, 0 for edges."""
    right = (np.arange(rows.shape[0]) < n).astype(float)
    return right, right
