"""A kernel written as one function, as a method: its state is its position.

    def transition(rng, latents, model, data, *, option=default) -> latents       # one sweep

is all that the file must hold. What model and data are:

    grid            a `models.grid.GridMRF`, latents {"labels": (H, W) int64}, data an (H, W, K) image or None. The
                    log-potentials of single pixels are `model.field(data)`, never `model.unary` alone: an image given
                    as data is not in it. Those of pairs are `model.right` and `model.down`
    factorization   a `models.factorization.Factorization`, latents {"U": (users, K), "V": (items, K)} float64 and
                    what else `model.sites` names, data a `models.ratings.Ratings`: `user`, `item`, `rating`

`model.log_joint(latents, data)` is what either kernel must leave invariant.

`BATCHED = True` beside the function promises that the latents and the data may carry a leading axis of replicates,
which makes `--check` a hundred times faster.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from inference.method import Family, Info, Latents, Method
from models.model import Data, Model

Option = float | int | bool | str


@dataclass(frozen=True)
class State:
    """Where the chain is, and the options it was started with."""

    position: dict[str, Tensor]
    options: dict[str, Option]


def as_method(module: ModuleType, name: str, by: str) -> Method:
    """The method whose step is the module's `transition`."""
    transition = module.transition

    def init(rng: torch.Generator, model: Model, data: Data, **options: Option) -> State:
        return State(model.somewhere(rng), {**defaults, **options})

    def start(rng: torch.Generator, model: Model, data: Data, latents: Latents, **options: Option) -> State:
        return State(latents, {**defaults, **options})

    def step(rng: torch.Generator, state: State, model: Model, data: Data) -> tuple[State, Info]:
        return State(transition(rng, state.position, model, data, **state.options), state.options), Info()

    parameters = inspect.signature(transition, eval_str=True).parameters.values()
    choices = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    defaults = {p.name: p.default for p in choices}
    head = list(inspect.signature(init).parameters.values())[:3]
    init.__signature__ = inspect.Signature(head + choices)  # type: ignore[attr-defined]
    return Method(name, Family.MCMC, by, module, init, step, draw, start=start, states=(State,))


def draw(rng: torch.Generator, state: State, model: Model) -> Latents:
    return state.position
