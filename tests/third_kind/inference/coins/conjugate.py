"""The posterior of every coin in closed form: p_n | heads ~ Beta(a + heads_n, b + tosses - heads_n)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from models.coins import Coins, beta
from torch import Tensor

from inference.method import Family, Info, Latents, Quantities

FAMILY = Family.EXACT
BATCHED = True


@dataclass(frozen=True)
class State:
    a: Tensor
    b: Tensor


def init(rng: torch.Generator, model: Coins, data: Tensor, *, more: float = 0.0) -> State:
    """more    heads counted too many, which is wrong"""
    return State(model.a + data + more, model.b + model.tosses - data)


def step(rng: torch.Generator, state: State, model: Coins, data: Tensor) -> tuple[State, Info]:
    return state, Info()


def draw(rng: torch.Generator, state: State, model: Coins) -> Latents:
    return {"p": beta(rng, state.a, state.b)}


def expect(state: State, model: Coins) -> Quantities:
    return {"p": state.a / (state.a + state.b)}
