"""Gibbs sampling, one entry at a time: u_ik given everything else, columns in turn, then v_jk.

    u_ik | rest ~ N(mean, 1 / precision),      e_ij = r_ij - u_i . v_j,  kept current

    precision = 1 / prior_variance + sum_j v_jk^2 / noise_variance
    mean      = sum_j v_jk (e_ij + u_ik v_jk) / noise_variance / precision

The sums are over the items j that user i rated; v_jk is the same with the sides exchanged. Given V the users do not
touch each other, so a column is drawn for all of them at once. Cost of a step: N K and no matrix, where `row_gibbs`
pays N K^2 + rows K^3; but the entries of a row are correlated given the rest, so a step forgets less.
Source: Gelfand and Smith, Sampling-based approaches to calculating marginal densities (1990).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from inference.engine import Engine, choose
from inference.factorization.compiled.normals import normals
from inference.factorization.parts.by_row import Rows, check_plain, sides
from inference.method import Family, Info, Latents
from inference.threads import over_rows
from models.factorization import Factorization
from models.ratings import Ratings

FAMILY = Family.MCMC


@dataclass(frozen=True)
class State:
    """The chain's position."""

    U: Float64[Tensor, "users K"]
    V: Float64[Tensor, "items K"]
    engine: str


def init(rng: torch.Generator, model: Factorization, data: Ratings, *, engine: Engine = "auto") -> State:
    """A draw from the prior."""
    check_plain("entry_gibbs", model)
    sides(model, data)
    return State(**model.prior(rng), engine=choose("entry_gibbs", engine, torch.device(model.device)))


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    users, items = sides(model, data)
    columns = _compiled if state.engine == "compiled" else conditional_columns
    U = columns(users, state.U, state.V, model, normals(rng, *state.U.shape))
    V = columns(items, state.V, U, model, normals(rng, *state.V.shape))
    return State(U, V, state.engine), Info()


def draw(rng: torch.Generator, state: State, model: Factorization) -> Latents:
    return {"U": state.U, "V": state.V}


def conditional_columns(rows: Rows, own: Tensor, other: Tensor, model: Factorization, z: Tensor) -> Tensor:
    """Every column of a side in turn, from N(0, 1) noise z of its shape."""
    own, index = own.clone(), rows.index.long()
    row = torch.arange(len(rows), device=own.device).repeat_interleave(rows.counts)
    residual = rows.rating - (own[row] * other[index]).sum(1)
    precision = 1 / model.prior_variance + rows.sums(other.square()) / model.noise_variance
    for k in range(own.shape[1]):
        pull = rows.sums(other[:, k : k + 1], residual)[:, 0] / model.noise_variance - own[:, k] / model.prior_variance
        move = pull / precision[:, k] + z[:, k] / precision[:, k].sqrt()
        own[:, k] += move
        residual -= move[row] * other[index, k]
    return own


def _compiled(rows: Rows, own: Tensor, other: Tensor, model: Factorization, z: Tensor) -> Tensor:
    from inference.factorization.compiled import entry_gibbs as entry_gibbs_numba

    out = own.clone()
    over_rows(entry_gibbs_numba.columns, rows.work, rows.indptr.numpy(), rows.index.numpy(), rows.rating.numpy(),
              other.contiguous().numpy(), 1 / model.prior_variance, 1 / model.noise_variance,
              z.contiguous().numpy(), out.numpy())
    return out
