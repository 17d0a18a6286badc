"""Row-block Gibbs: a whole row drawn at once from its exact conditional, by the strip recursion on one line.

Given the rows above and below, row i is a Markov chain along its columns j,

    p(y_i | rest) = 1/Z prod_j exp(phi_j(y_ij)) prod_j exp(right[i, j, y_ij, y_i(j+1)])
    phi_j(k)      = field[i, j, k] + down[i-1, j, y_(i-1)j, k] + down[i, j, k, y_(i+1)j]

    log f_j(k)  = phi_j(k) + log sum_l exp(log f_(j-1)(l) + right[i, j-1, l, k])    filter, left to right
    B_j(l | k)  = softmax_l(log f_j(l) + right[i, j, l, k])                         what lies left of label k
    y_ij        ~ B_j( . | y_i(j+1)),  from  y_i(W-1) ~ softmax f_(W-1)             draw, right to left
    s_j(l)      = sum_k B_j(l | k) s_(j+1)(k)                                       the row's exact marginals

(forward filtering, backward sampling: Carter and Kohn 1994). s_j is averaged: it is what Rao-Blackwell asks for,
the marginal given the other rows. Even rows do not touch, so they are drawn together, then the odd ones.
All is done in logs; potentials of 1e4 nats do no harm.

Cost of a sweep: H W K (K + 1) exp; `lines = "both"` draws every row, then every column, at twice the cost.

Options:

    lines   which lines a sweep draws
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float64, Int64, UInt8
from torch import Tensor

from errors import unknown
from inference.engine import Engine, choose
from inference.grid.parts.constraints import refuse_pairs, softened
from inference.grid.parts.single_site import Chain, draw, expect, given_labels, pick, random_labels, warm
from inference.method import Family, Info, Latents
from models.grid import GridMRF

FAMILY = Family.MCMC
Lines = Literal["rows", "columns", "both"]
LINES = {"rows": ("rows",), "columns": ("columns",), "both": ("rows", "columns")}

__all__ = ["FAMILY", "State", "draw", "expect", "init", "start", "step", "warm"]


@dataclass(frozen=True)
class State(Chain):
    """`sums` is of s_j, over `count` sweeps."""

    lines: str
    engine: str  # compiled | torch


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *, lines: Lines = "rows",
         engine: Engine = "auto") -> State:
    """Labels at random."""
    refuse_pairs("row_block_gibbs", model)
    if lines not in LINES:
        raise unknown("lines of row_block_gibbs", lines, LINES)
    return State(random_labels(rng, model), torch.zeros_like(model.unary), 0, lines,
                 choose("row_block_gibbs", engine, model.device))


def start(rng: torch.Generator, model: GridMRF, data: Tensor | None, latents: Latents, *,
          lines: Lines = "rows", engine: Engine = "auto") -> State:
    """At given labels."""
    return replace(init(rng, model, data, lines=lines, engine=engine), labels=given_labels(model, latents))


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """Every row once, or every column, or both in turn."""
    model = softened(model)
    field, labels, sums = model.field(data), state.labels, state.sums
    for lines in LINES[state.lines]:
        uniform = torch.rand(labels.shape, dtype=torch.float64, device=model.device, generator=rng)
        if lines == "rows":
            labels, s = sweep(labels, field, model.right, model.down, uniform, state.engine)
        else:
            labels, s = sweep(labels.mT, field.transpose(0, 1), model.down.transpose(0, 1),
                              model.right.transpose(0, 1), uniform.mT, state.engine)
            labels, s = labels.mT, s.transpose(0, 1)
        sums = sums + s / len(LINES[state.lines])
    labels = labels.to(torch.uint8).contiguous()
    return replace(state, labels=labels, sums=sums.contiguous(), count=state.count + 1), Info()


def sweep(labels: UInt8[Tensor, "H W"], field: Tensor, right: Tensor, down: Tensor, uniform: Tensor, engine: str
          ) -> tuple[Tensor, Tensor]:
    """New labels, and the marginals s of every row when it was drawn."""
    if engine == "compiled":
        from inference.grid.compiled import row_block_gibbs as row_block_gibbs_numba

        labels = labels.clone(memory_format=torch.contiguous_format)
        marginals = torch.empty(field.shape, dtype=field.dtype)
        row_block_gibbs_numba.sweep(*(t.numpy() for t in (labels, marginals, field, right, down, uniform)))
        return labels, marginals
    labels, marginals = labels.to(torch.int64, copy=True), torch.empty_like(field)
    for parity in range(min(2, len(labels))):
        rows = torch.arange(parity, len(labels), 2, device=labels.device)
        last, left = forward_filter(row_field(labels, field, down, rows), right[rows])
        labels[rows], marginals[rows] = backward_sample(last, left, uniform[rows])
    return labels, marginals


def row_field(labels: Tensor, field: Tensor, down: Tensor, rows: Tensor) -> Float64[Tensor, "rows W K"]:
    """phi of some rows, from the labels above and below."""
    columns = torch.arange(labels.shape[1], device=labels.device)
    phi = field[rows]
    above, below = rows > 0, rows < len(field) - 1
    i, j = rows[above, None] - 1, rows[below, None]
    phi[above] += down[i, columns, labels[i, columns]]
    phi[below] += down[j, columns, :, labels[j + 1, columns]]
    return phi


def forward_filter(phi: Float64[Tensor, "rows W K"], right: Float64[Tensor, "rows W-1 K K"]
          ) -> tuple[Float64[Tensor, "rows K"], Float64[Tensor, "rows W-1 K K"]]:
    """The distribution of the last label of each row, and B_j(l | k) of all others."""
    log_f = torch.log_softmax(phi[:, 0], -1)
    left = torch.empty_like(right)
    for j in range(right.shape[1]):
        joint = log_f[..., None] + right[:, j]  # (rows, l, k)
        left[:, j] = torch.softmax(joint, 1)
        log_f = torch.log_softmax(phi[:, j + 1] + torch.logsumexp(joint, 1), -1)
    return log_f.exp(), left


def backward_sample(last: Tensor, left: Tensor, uniform: Float64[Tensor, "rows W"]
              ) -> tuple[Int64[Tensor, "rows W"], Float64[Tensor, "rows W K"]]:
    """A draw of the rows, and their exact marginals."""
    row = torch.arange(len(last), device=last.device)
    labels, marginals = [pick(last, uniform[:, -1])], [last]
    for j in reversed(range(left.shape[1])):
        labels.append(pick(left[row, j, :, labels[-1]], uniform[:, j]))
        marginals.append((left[:, j] @ marginals[-1][..., None])[..., 0])
    return torch.stack(labels[::-1], 1), torch.stack(marginals[::-1], 1)
