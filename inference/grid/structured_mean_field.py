"""Structured mean field: rows stay whole, each a Markov chain of its own; a tighter bound than mean field's.

    q(y) = prod_i q_i(y_i),    y_i the labels of row i,    q_i(y_i) = exp(sum_j phi_ij(y_ij) + sum_j right_ij) / Z_i
    ELBO = sum_i ( log Z_i - sum_jk q_ij(k) (phi_ij(k) - field_ij(k)) )
         + sum over edges down, labels k, l of  q_ij(k) q_(i+1)j(l) down_ij(k, l)            <=  log Z,    nats

where q_ij are the marginals of q_i. Given the other rows the best q_i is the chain with

    phi_ij(k) = field_ij(k) + sum over the neighbours n above and below, labels l of  q_n(l) theta(k, l)

(Saul and Jordan 1996; Wainwright and Jordan 2008, section 5.5). Its Z_i and marginals are sums along the row
(`parts.chains`). A sweep updates the even rows, which do not touch, then the odd ones: the ELBO never falls.
The family holds mean field's, so the best bound is never below mean field's best, and on a grid of one row it
is log Z. All is done in logs.

Cost of a sweep: 2 H W K^2 exp, in 4 W vectorised steps.

Options:

    lines   which lines are the chains: `rows`, or `columns`
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from errors import unknown
from inference.grid.parts import chains
from inference.grid.parts.constraints import refuse_pairs, softened
from inference.method import Family, Info, Kind, Latents, Quantities
from models.grid import GridMRF

FAMILY = Family.VARIATIONAL
AT_WORK = 14  # times what latents and model take, in memory
LINES = ("rows", "columns")


@dataclass(frozen=True)
class State:
    """The chains, one a line: H x W are turned where the lines are columns."""

    phi: Float64[Tensor, "H W K"]
    q: Float64[Tensor, "H W K"]  # the marginals of the chains
    log_z: Float64[Tensor, "H"]
    lines: str


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *, lines: Literal["rows", "columns"] = "rows"
         ) -> State:
    """Every line by itself, as if it had no neighbours."""
    if lines not in LINES:
        raise unknown("lines of structured_mean_field", lines, LINES)
    refuse_pairs("structured_mean_field", model, "independent lines break them, so that its bound would be -inf",
                 ("down" if lines == "rows" else "right",))
    field, right, _ = _turned(model, data, lines)
    return State(field.contiguous(), *smoothed(field, right), lines)


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """One sweep over all lines, and the ELBO after it; the residual is the largest change of a marginal."""
    field, right, down = _turned(model, data, state.lines)
    phi, q, log_z = state.phi.clone(), state.q.clone(), state.log_z.clone()
    for parity in range(min(2, len(q))):
        rows = torch.arange(parity, len(q), 2, device=q.device)
        phi[rows] = chain_field(q, field, down, rows)
        q[rows], log_z[rows] = smoothed(phi[rows], right[rows])
    bound = float(elbo(phi, q, log_z, field, down))
    change = float((q - state.q).abs().max())
    return replace(state, phi=phi, q=q, log_z=log_z), Info(bound, Kind.LOWER, elbo=bound, residual=change)


def draw(rng: torch.Generator, state: State, model: GridMRF) -> Latents:
    """Labels from q: lines are independent, each drawn backwards along its chain."""
    _, right, _ = _turned(model, None, state.lines)
    labels = chains.draw(rng, chains.forward(state.phi, right), right)
    return {"labels": labels if state.lines == "rows" else labels.T.contiguous()}


def expect(state: State, model: GridMRF) -> Quantities:
    return {"labels": state.q if state.lines == "rows" else state.q.transpose(0, 1).contiguous()}


def chain_field(q: Float64[Tensor, "H W K"], field: Tensor, down: Tensor, rows: Tensor) -> Float64[Tensor, "r W K"]:
    """phi of some rows, from the marginals above and below."""
    phi = field[rows].clone()
    above, below = rows > 0, rows < len(q) - 1
    i, j = rows[above] - 1, rows[below]
    phi[above] += (q[i, :, :, None] * down[i]).sum(2)
    phi[below] += (down[j] * q[j + 1, :, None]).sum(3)
    return phi


def smoothed(phi: chains.Phi, right: chains.Pairs) -> tuple[chains.Phi, Float64[Tensor, "chains"]]:
    """The marginals of chains, and their log Z."""
    a = chains.forward(phi, right)
    return torch.softmax(a + chains.backward(phi, right), -1), torch.logsumexp(a[:, -1], -1)


def elbo(phi: Tensor, q: Tensor, log_z: Tensor, field: Tensor, down: Tensor) -> Tensor:
    """The ELBO, in nats, where q and log_z are those of the chains with phi."""
    return (log_z.sum() - (q * (phi - field)).sum()
            + (q[:-1, :, :, None] * down * q[1:, :, None]).sum())


def _turned(model: GridMRF, data: Tensor | None, lines: str) -> tuple[Tensor, Tensor, Tensor]:
    """Field, pairs along the lines and pairs across them."""
    model = softened(model)
    tables = model.field(data), model.right, model.down
    if lines == "rows":
        return tables
    return tables[0].transpose(0, 1), tables[2].transpose(0, 1), tables[1].transpose(0, 1)
