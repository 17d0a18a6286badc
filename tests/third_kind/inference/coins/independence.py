"""An independence sampler: every coin's p proposed from the prior, accepted by the likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from models.coins import Coins, beta
from torch import Tensor
from torch.distributions import Binomial

from inference.method import Family, Info, Latents

FAMILY = Family.MCMC


@dataclass(frozen=True)
class State:
    p: Tensor


def init(rng: torch.Generator, model: Coins, data: Tensor) -> State:
    return State(model.prior(rng)["p"])


def step(rng: torch.Generator, state: State, model: Coins, data: Tensor) -> tuple[State, Info]:
    proposed = beta(rng, torch.full_like(state.p, model.a), torch.full_like(state.p, model.b))
    ratio = (Binomial(model.tosses, proposed, validate_args=False).log_prob(data)
             - Binomial(model.tosses, state.p, validate_args=False).log_prob(data))
    accept = torch.rand(state.p.shape, generator=rng, dtype=torch.float64).log() < ratio
    return State(torch.where(accept, proposed, state.p)), Info(accept=float(accept.double().mean()))


def draw(rng: torch.Generator, state: State, model: Coins) -> Latents:
    return {"p": state.p}
