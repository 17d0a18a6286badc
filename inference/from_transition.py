"""A kernel written as one function, as a method: its state is its position.

    def transition(rng, latents, model, data, *, option=default) -> latents       # one sweep

is all that the file must hold. `BATCHED = True` beside it promises that the latents and the data may
carry a leading axis of replicates, which makes `--check` a hundred times faster.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from inference.method import Family, Info, Latents, Method


@dataclass(frozen=True)
class State:
    """Where the chain is, and the options it was started with."""

    position: dict[str, Tensor]
    options: dict[str, float | int | bool | str]


def as_method(module: ModuleType, name: str, by: str) -> Method:
    """The method whose step is the module's `transition`."""
    transition = module.transition

    def init(rng: torch.Generator, model: Any, data: Any, **options: Any) -> State:
        return State(_somewhere(rng, model), {**defaults, **options})

    def start(rng: torch.Generator, model: Any, data: Any, latents: Latents, **options: Any) -> State:
        return State(latents, {**defaults, **options})

    def step(rng: torch.Generator, state: State, model: Any, data: Any) -> tuple[State, Info]:
        return State(transition(rng, state.position, model, data, **state.options), state.options), Info()

    parameters = inspect.signature(transition, eval_str=True).parameters.values()
    choices = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    defaults = {p.name: p.default for p in choices}
    head = list(inspect.signature(init).parameters.values())[:3]
    init.__signature__ = inspect.Signature(head + choices)  # type: ignore[attr-defined]
    module.State = State  # type: ignore[attr-defined]  # where a checkpoint looks for it
    return Method(name, Family.MCMC, by, module, init, step, draw, start=start)


def _somewhere(rng: torch.Generator, model: Any) -> Latents:
    """A draw from the prior; on a grid, whose prior is drawn by enumeration, every pixel's label by itself."""
    if "labels" not in model.sites:
        return model.prior(rng)
    H, W, K = model.shape
    return {"labels": torch.randint(K, (H, W), generator=rng, device=rng.device)}


def draw(rng: torch.Generator, state: State, model: Any) -> Latents:
    return state.position
