"""Metropolised Gibbs (Liu 1996): every pixel is offered a label other than its own.

With pi(l) = p(y_ij = l | the rest) and the pixel at k, propose l != k with chance pi(l) / (1 - pi(k)) and accept
with chance min(1, (1 - pi(k)) / (1 - pi(l))). Both together,

    P(k -> l) = pi(l) / (1 - min(pi(k), pi(l)))    for l != k,

which is never less than Gibbs' pi(l). For one pixel at random at a time, that makes the asymptotic variance of
every average of the labels at most Gibbs' (Peskun 1973; Liu 1996). Here all pixels of one colour of the checkerboard
move at once, then the other: far more updates a second, and for averages over pixels the gain is there; but there is
no such theorem. Between two equally likely labels P(k -> l) = 1, and pixels that all flip at every sweep keep step
for ever. So with chance `gibbs` a pixel takes a plain Gibbs step instead, which still moves at least as readily.

Cost: 4 H W K additions and H W K exp a sweep. Source: Liu, Biometrika 83 (1996) 681-682.

Options:

    gibbs   chance of a plain Gibbs step in place of a Metropolised one, from 0 to 1
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from errors import InputError
from inference.engine import Engine, choose
from inference.footprint import latents, tensors
from inference.grid.parts.constraints import refuse_pairs, softened
from inference.grid.parts.single_site import (
    Chain,
    colours,
    conditional,
    draw,
    expect,
    given_labels,
    random_labels,
    warm,
)
from inference.method import Family, Info, Latents
from models.grid import GridMRF

FAMILY = Family.MCMC

__all__ = ["FAMILY", "State", "draw", "expect", "init", "start", "step", "warm"]


@dataclass(frozen=True)
class State(Chain):
    """`sums` is of pi(k), over `count` sweeps."""

    gibbs: float
    engine: str  # compiled | torch


def footprint(model: GridMRF, data: Tensor | None, *, engine: Engine = "auto", **_: object) -> int:
    """A chain at work, bytes: in torch what every label weighs is held several times."""
    return (10 if engine == "torch" else 3) * (latents(model) + tensors(model))


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *, gibbs: float = 0.1,
         engine: Engine = "auto") -> State:
    """Labels at random."""
    refuse_pairs("metropolised_gibbs", model)
    if not 0 <= gibbs <= 1:
        raise InputError(f"gibbs of metropolised_gibbs, the chance of a plain Gibbs step, must lie "
                         f"between 0 and 1, not {gibbs}")
    return State(random_labels(rng, model), torch.zeros_like(model.unary), 0, float(gibbs),
                 choose("metropolised_gibbs", engine, model.device))


def start(rng: torch.Generator, model: GridMRF, data: Tensor | None, latents: Latents, *,
          gibbs: float = 0.1, engine: Engine = "auto") -> State:
    """At given labels."""
    return replace(init(rng, model, data, gibbs=gibbs, engine=engine), labels=given_labels(model, latents))


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """One sweep; `accept` is the share of pixels that changed their label."""
    model = softened(model)
    uniform = torch.rand(state.labels.shape, dtype=torch.float64, device=model.device, generator=rng)
    tables = model.field(data).contiguous(), model.right, model.down
    if state.engine == "compiled":
        from inference.grid.compiled import single_site as single_site_numba

        labels, sums = state.labels.clone(), state.sums.clone()
        field, right, down = (t.numpy() for t in tables)
        moved = single_site_numba.metropolised_sweep(labels.numpy(), sums.numpy(), field, right, down, uniform.numpy(),
                                                     state.gibbs) / labels.numel()
    else:
        labels, pi = sweep(state.labels.long(), *tables, uniform, state.gibbs)
        sums, moved = state.sums + pi, float((labels != state.labels).double().mean())
    return replace(state, labels=labels.to(torch.uint8), sums=sums, count=state.count + 1), Info(accept=moved)


def sweep(labels: Int64[Tensor, "*copies H W"], field: Tensor, right: Tensor, down: Tensor, uniform: Tensor,
          gibbs: float) -> tuple[Tensor, Tensor]:
    """New labels, and pi(k) at every pixel when it was visited."""
    pi = torch.empty(*labels.shape, field.shape[2], dtype=field.dtype, device=field.device)
    for pixels in colours(field):
        now = torch.softmax(conditional(labels, field, right, down), -1)
        leave = transition_probability(now, labels, gibbs).cumsum(-1)  # beyond its end the label stays
        to = (uniform[..., None] >= leave).sum(-1)
        labels = torch.where(pixels & (to < leave.shape[-1]), to, labels)
        pi = torch.where(pixels[..., None], now, pi)
    return labels, pi


def transition_probability(pi: Float64[Tensor, "*copies H W K"], labels: Int64[Tensor, "*copies H W"], gibbs: float
          ) -> Float64[Tensor, "*copies H W K"]:
    """P(k -> l) for l != k, and 0 at l = k."""
    own = pi.gather(-1, labels[..., None])
    leave = pi * (gibbs + (1 - gibbs) / (1 - torch.minimum(own, pi)))
    return leave.scatter(-1, labels[..., None], 0.0)
