"""What a user's file holds beside its model: guides, kernels and transitions, each as a method.

    def guide(*arguments), a PyroModule, an AutoGuide           every callable with "guide" in its name
    def kernel(model) -> MCMCKernel, or a class of kernels      every one with "kernel" in its name
    def transition(latents, *arguments) -> latents              every function with "transition" in its name, or the one
                                                                named by the user, its first argument being latents

The arguments are those that `data()` gives the model. A transition draws from torch's own generator, or, written as
`transition(rng, latents, model, data)`, from `rng`. Latents of many replicates it moves by vmap, where its code allows.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import torch
from pyro.infer import HMC, RandomWalkKernel

from inference.method import Family, Info, Latents, Method
from inference.program.guides import from_guide
from inference.pyro import from_kernel
from inference.user_file import UserFile, derived
from models import batched
from models.batched import double, seeded
from models.model import Data
from models.program import Program

RNG, LATENTS = "rng", "latents"
WARM = 100  # steps in which a kernel adapts, before it is started at given latents


@dataclass(frozen=True, eq=False)
class State:
    """Where the chain is."""

    position: dict[str, torch.Tensor]


def methods(file: UserFile) -> dict[str, Method]:
    """Every one, by its name in the file."""
    found = {}
    for name, thing in vars(file.module).items():
        here = getattr(thing, "__module__", None) == file.module.__name__ or isinstance(thing, torch.nn.Module)
        if not callable(thing) or name.startswith("_") or not here:
            continue
        called = name if name == file.path.stem else f"{file.path.stem}_{name}"  # one that is at hand is its own file
        if name == file.wanted and _first(thing) == LATENTS:
            found[name] = transition(file.module, thing, called)
        elif "guide" in name.lower() and name != "kernel":
            found[name] = from_guide.as_method(file.module, thing, called, "user")
        elif derived(thing, "MCMCKernel") or ("kernel" in name.lower() and not isinstance(thing, type)):
            found[name] = kernel(file.module, thing, called)
        elif "transition" in name.lower() and not isinstance(thing, type):
            found[name] = transition(file.module, thing, called)
    return found


def _first(thing: Any) -> str | None:
    """The name of a function's first argument."""
    return next(iter(inspect.signature(thing).parameters), None) if inspect.isfunction(thing) else None


def kernel(module: ModuleType, make: Callable[..., Any], name: str) -> Method:
    """A Pyro kernel, or what makes one of the Pyro program; everything in float64.

    Started at given latents it is as it is after WARM steps on the model's own data, step sizes and mass matrices and
    all, and adapts no more.
    """
    plain = from_kernel.as_method(module, make, name, "user")
    assert plain.start
    warmed: WeakKeyDictionary[Program, Any] = WeakKeyDictionary()

    def warm(model: Program) -> Any:
        if model not in warmed:
            rng = torch.Generator().manual_seed(0)
            state = plain.init(rng, model, model.data, warmup=WARM)
            for _ in range(WARM):
                state, _ = plain.step(rng, state, model, model.data)
            warmed[model] = from_kernel.kernel_of(state)
        return warmed[model]

    def init(rng: torch.Generator, model: Program, data: Data, *, warmup: int = 100) -> Any:
        with double():
            return plain.init(rng, model, data, warmup=warmup)

    def start(rng: torch.Generator, model: Program, data: Data, latents: Latents, *, warmup: int = 0) -> Any:
        with double():
            state = plain.start(rng, model, data, latents, warmup=warmup)  # type: ignore[misc]
            if not warmup:
                tuned(from_kernel.kernel_of(state), warm(model))
        return state

    def step(rng: torch.Generator, state: Any, model: Program, data: Data) -> tuple[Any, Info]:
        with double():
            return plain.step(rng, state, model, data)

    return Method(name, Family.MCMC, "user", module, init, step, plain.draw, start=start, states=plain.states)


def tuned(kernel: Any, like: Any) -> None:
    """Step sizes and mass matrices as another has them; of blocks, block by block."""
    for mine, its in zip(getattr(kernel, "kernels", ()), getattr(like, "kernels", ()), strict=True):
        tuned(mine, its)
    if isinstance(kernel, HMC):
        kernel._adapter.step_size = like.step_size
        kernel.mass_matrix_adapter.inverse_mass_matrix = {
            sites: x.clone() for sites, x in like.inverse_mass_matrix.items()}
    elif isinstance(kernel, RandomWalkKernel):
        kernel._log_step_size = like._log_step_size


def transition(module: ModuleType, move: Callable[..., Latents], name: str) -> Method:
    """A function as a kernel: its state is its position."""
    with_rng = next(iter(inspect.signature(move).parameters), None) == RNG

    def init(rng: torch.Generator, model: Program, data: Data) -> State:
        return State(model.somewhere(rng))

    def start(rng: torch.Generator, model: Program, data: Data, latents: Latents) -> State:
        return State(latents)

    def one(latents: Latents, model: Program, data: Data) -> Latents:
        given = model.arguments_with(data)
        return move(latents, *given.args, **given.kwargs)

    def step(rng: torch.Generator, state: State, model: Program, data: Data) -> tuple[State, Info]:
        latents = {site: x.clone() for site, x in state.position.items()}
        if with_rng:
            with double():
                return State(move(rng, latents, model, data)), Info()
        with seeded(rng), torch.no_grad():
            if not model.lead(latents):
                return State(one(latents, model, data)), Info()
            return State(batched.over(lambda x, y: one(x, model, y), [latents, dict(data)], vectorised=True)), Info()

    def draw(rng: torch.Generator, state: State, model: Program) -> Latents:
        return state.position

    return Method(name, Family.MCMC, "user", module, init, step, draw, start=start, states=(State,))
