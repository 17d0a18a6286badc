"""Pyro's own kernels on a program: chains of continuous sites, in float64.

Discrete sites are summed out, and drawn given the others after every step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from errors import InputError
from inference.method import Info, Latents
from inference.pyro import from_kernel
from inference.pyro.from_kernel import State, draw
from models.batched import double
from models.model import Data
from models.program import Program
from models.summed import Summed, summed

__all__ = ["State", "advance", "begin", "draw"]


def begin(rng: torch.Generator, model: Program, data: Data, factory: Callable[[Program], Any], warmup: int,
          latents: Latents | None, name: str, options: dict[str, Any] | None = None) -> State:
    """options   what the kernel is made again from. Errors: InputError for sites that such a kernel cannot move."""
    for site in model.known.continuous.values():
        if site.moves:
            raise InputError(f"the support of the site {site.name} changes with other sites, and {name} would keep "
                             f"the first one: use composite_gibbs_pyro, or give it a fixed one, as hi * u with "
                             f"u ~ Uniform(0, 1) has")
    model = summed(model, name)
    if latents is not None:
        latents = {site: latents[site] for site in model.sites}
    with double():
        return from_kernel.begin(rng, model, data, factory, warmup, latents, options, _rest(rng, model, data))


def advance(rng: torch.Generator, state: State, model: Program, data: Data, factory: Callable[[Program], Any]
            ) -> tuple[State, Info]:
    model = summed(model, "a kernel")
    with double():
        return from_kernel.advance(rng, state, model, data, factory, _rest(rng, model, data))


def _rest(rng: torch.Generator, model: Program, data: Data) -> Callable[[Latents], Latents] | None:
    """What adds a draw of the sites that are summed out."""
    return (lambda latents: model.completed(rng, latents, data)) if isinstance(model, Summed) else None
