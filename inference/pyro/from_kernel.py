"""Any Pyro MCMCKernel as a method of the contract: a step is one `kernel.sample`.

A kernel keeps what it needs in its attributes; the contract wants it in the State. So after every sample the
kernel's memory (`kernel_memory`) is copied into the new State, and a State whose kernel is gone (a resumed run) gets
a fresh one with that memory. Kernels are kept alive beside the states that they made only to save that work.

Pyro's randomness is borrowed: seeded from `rng`, handed back. Cost: the kernel's, and a copy of its memory.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, ref

import torch
from jaxtyping import Float64
from pyro.infer.mcmc.mcmc_kernel import MCMCKernel
from torch import Tensor

from errors import InputError, OtherModel
from inference.method import Family, Info, Latents, Method
from inference.pyro.globals import borrowed
from inference.pyro.kernel_memory import refresh, remember, restore, same_kind
from models.model import Data, Model, arguments

Kernel = Any  # an MCMCKernel that also has `model` and `transforms`, as pyro.infer.MCMC demands
M = TypeVar("M", bound=Model)
Rest = Callable[[Latents], Latents]
Factory = Callable[[M], Kernel]  # model -> a kernel that has not been set up


@dataclass(frozen=True, eq=False)
class State:
    """Where the chain is, and what its kernel remembers."""

    position: dict[str, Float64[Tensor, "..."]]  # as the kernel moves it: without constraints
    latents: dict[str, Float64[Tensor, "..."]]  # the same, as the model names it
    memory: dict[str, Any]
    warmup: int  # samples during which the kernel may adapt
    options: dict[str, Any] = field(default_factory=dict)  # to make the kernel again


# The kernel beside the last state that it made. To go on from a state takes its kernel away, for there is only one
# and it moves: going on from the same state again makes a new kernel, with the same numbers.
_alive: WeakKeyDictionary[State, tuple[Kernel, ref]] = WeakKeyDictionary()


def begin(rng: torch.Generator, model: M, data: Data, factory: Factory[M], warmup: int = 0,
          latents: Latents | None = None, options: dict[str, Any] | None = None, rest: Rest | None = None) -> State:
    """The kernel set up: where it starts by itself, or at `latents`.

    rest   adds the latents that the kernel does not move, given those that it does
    """
    if warmup < 0:
        raise InputError(f"warmup must be at least 0, not {warmup}")
    with borrowed(rng):
        kernel = _set_up(factory, model, data, warmup)
        position = dict(kernel.initial_params)
        _complain(_sites(kernel, model, position))
        if latents is not None:
            transforms = kernel.transforms or {}
            position = {site: transforms[site](x) if site in transforms else x.clone() for site, x in latents.items()}
            kernel.initial_params = position
            refresh(kernel, position)
    return _state(kernel, position, warmup, options or {}, data, rest)


def advance(rng: torch.Generator, state: State, model: M, data: Data, factory: Factory[M], rest: Rest | None = None
            ) -> tuple[State, Info]:
    """One sample. Errors: InputError for one that is not of the kind that went in."""
    kernel = _kernel(state, model, data, factory)
    before = _divergences(kernel)
    with borrowed(rng):
        position = kernel.sample({site: x.clone() for site, x in state.position.items()})
        _complain(same_kind(type(kernel).__name__, state.position, position))
    new = _state(kernel, position, state.warmup, state.options, data, rest)
    diverging = None if before is None else float(_divergences(kernel) != before)
    return new, Info(accept=getattr(kernel, "_mean_accept_prob", None), diverging=diverging)


def as_method(module: ModuleType, kernel: Callable[..., Kernel], name: str, by: str) -> Method:
    """The method that runs `kernel(model.program)`, or `kernel(model)` where its first argument is called so

    and annotated with the model's own class.
    """
    def factory(model: Model) -> Kernel:
        try:
            return kernel(_argument(kernel, model))
        except TypeError as error:
            raise InputError(f"{name} cannot be made from a Pyro model alone ({error}): "
                             f"give its other arguments defaults") from None

    def init(rng: torch.Generator, model: Model, data: Data, *, warmup: int = 100) -> State:
        return begin(rng, model, data, factory, warmup)

    def start(rng: torch.Generator, model: Model, data: Data, latents: Latents, *, warmup: int = 0) -> State:
        return begin(rng, model, data, factory, warmup, latents)

    def step(rng: torch.Generator, state: State, model: Model, data: Data) -> tuple[State, Info]:
        return advance(rng, state, model, data, factory)

    return Method(name, Family.MCMC, by, module, init, step, draw, start=start, states=(State,))


def draw(rng: torch.Generator, state: State, model: Model) -> Latents:
    return state.latents


def _argument(kernel: Callable[..., Kernel], model: Model) -> Any:
    first = next(iter(inspect.signature(kernel).parameters.values()), None)
    if model.program is None:
        raise InputError(f"{kernel.__name__} needs a Pyro program, and a {type(model).__name__} has none: write a "
                         f"function transition(rng, latents, model, data) in its place")
    return model if first and type(model).__name__ in str(first.annotation) else model.program


def _divergences(kernel: Kernel) -> int | None:
    """How many samples after the warm-up diverged; None of a kernel that cannot."""
    found = getattr(kernel, "_divergences", None)
    return None if found is None else len(found)


def _set_up(factory: Factory[M], model: M, data: Data, warmup: int) -> Kernel:
    kernel = factory(model)
    name = type(kernel).__name__
    if not isinstance(kernel, MCMCKernel):
        raise InputError(f"{name} is not a kernel: it must be a subclass of pyro.infer.mcmc.mcmc_kernel.MCMCKernel")
    if not hasattr(kernel, "model"):
        raise InputError(f"{name} has no `model`: pyro.infer.MCMC needs kernel.model, the Pyro program it runs on")
    args, kwargs = arguments(model, data)
    kernel.setup(warmup, *args, **kwargs)
    if not hasattr(kernel, "transforms"):
        raise InputError(f"{name} has no `transforms`: pyro.infer.MCMC needs kernel.transforms, a dict of site -> "
                         f"transform to unconstrained space, {{}} where there is none")
    return kernel


def kernel_of(state: State) -> Kernel | None:
    """The kernel that made `state`, as long as it has not gone on."""
    return _alive.get(state, (None, None))[0]


def _kernel(state: State, model: M, data: Data, factory: Factory[M]) -> Kernel:
    """The kernel that made `state`, with its memory as it was then."""
    kernel, seen = _alive.pop(state, (None, lambda: None))
    if kernel is None or seen() is not data:
        with borrowed(torch.Generator()):  # what `setup` draws is overwritten
            kernel = _set_up(factory, model, data, state.warmup)
            restore(kernel, state.memory)
            refresh(kernel, state.position)
    return kernel


def _state(kernel: Kernel, position: Mapping[str, Tensor], warmup: int, options: dict[str, Any], data: Data,
           rest: Rest | None) -> State:
    position = {site: x.detach() for site, x in position.items()}
    transforms = kernel.transforms or {}
    latents = {site: transforms[site].inv(x) if site in transforms else x for site, x in position.items()}
    state = State(position, rest(latents) if rest else latents, remember(kernel), warmup, options)
    _alive[state] = kernel, ref(data)
    return state


def _sites(kernel: Kernel, model: Model, position: Mapping[str, Tensor]) -> str | None:
    name = type(kernel).__name__
    if position and position.keys().isdisjoint(model.sites):
        raise OtherModel(name, position, model.sites)
    for site in model.sites:
        if site not in position:
            return (f"{name} forgets the site {site}: kernel.initial_params must hold a tensor for each of "
                    f"{', '.join(model.sites)}")
    return None


def _complain(fault: str | None) -> None:
    if fault:
        raise InputError(fault)
