"""Exact marginals, log Z and draws by listing every labelling.

    p(y) = exp(log p~(y)) / Z,    Z = sum over all K^(HW) labellings

Cost: K^(HW) H W; refused beyond 2^22 labellings, where `strip` goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from errors import InputError
from inference.grid.parts.constraints import CONTRADICTION
from inference.method import Family, Info, Kind, Latents, Quantities
from models.grid import GridMRF

FAMILY = Family.EXACT


@dataclass(frozen=True)
class State:
    """The posterior probability of every labelling, in the order of `model.configurations`."""

    probability: Float64[Tensor, "n"]


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None) -> State:
    n = len(model.configurations)
    return State(torch.full((n,), 1.0 / n, dtype=torch.float64, device=model.device))


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    log_joint = model.log_joint({"labels": model.configurations}, data)
    log_Z = torch.logsumexp(log_joint, 0)
    if log_Z == -torch.inf:
        raise InputError(CONTRADICTION)
    return State(torch.exp(log_joint - log_Z)), Info(log_evidence=float(log_Z), kind=Kind.EXACT, converged=True)


def draw(rng: torch.Generator, state: State, model: GridMRF) -> Latents:
    index = torch.searchsorted(state.probability.cumsum(0), torch.rand(1, dtype=torch.float64, generator=rng,
                                                                       device=model.device))
    return {"labels": model.configurations[index.clamp(max=len(state.probability) - 1)[0]]}


def expect(state: State, model: GridMRF) -> Quantities:
    H, W, K = model.shape
    labels = [((model.configurations == k) * state.probability[:, None, None]).sum(0) for k in range(K)]
    return {"labels": torch.stack(labels, -1)}
