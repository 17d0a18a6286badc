"""How much memory a run of a method will take, estimated before anything is asked for.

    the chain at work + chains * (state + generators + the observer's memory) + draws that are kept + trace

The chain at work takes what the method says (`footprint` of its module), else `AT_WORK` (the module's, or that below)
times what latents, model and data take. Estimates are there to refuse what cannot be; the tests hold them to between
a half and eight times what is measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

import room
from errors import short
from inference.drive import KEPT_BYTES
from inference.job import Observer, Plan
from inference.method import Family, Method
from models.model import Data, Model

AT_WORK = 6  # times latents, model and data: a state, its successor, and what a step makes besides
PYRO = 32  # the same for what runs on Pyro's traces
STATE = 4  # times the latents
GENERATORS = 12_000  # bytes of a chain's two, and of what is saved of them
TRACE = 600  # bytes of a step of one chain, as Python has them
COPIES = 3  # of the draws that are kept: in a list, in one array, as they are written


def check(method: Method, model: Model, data: Data, plan: Plan, options: Mapping[str, Any],
          observer: Observer | None = None) -> None:
    """Errors: InputError where less is free than the run will take, with how many chains or steps would fit."""
    if torch.device(model.device).type != "cpu":
        return  # its allocator refuses at once, and the machine's memory is not touched
    check_work(method, model, data, options)
    each, chains, steps = state(model, observer), plan.chains, plan.steps
    room.refuse_beyond(f"{method.name} with {chains:,} chains", each * chains, chains, "chains")
    trace = TRACE * steps * chains if method.family is Family.MCMC else 0  # the others may end before `steps`
    room.refuse_beyond(f"{method.name} for {steps:,} steps", trace, steps, "steps")
    room.refuse_beyond(f"{method.name} with {chains:,} chains of {steps:,} steps",
                       whole(method, model, data, plan, options, observer))


def check_work(method: Method, model: Model, data: Data, options: Mapping[str, Any]) -> None:
    """The same of the chain at work, whose options may ask for it. Errors: InputError, with how much of an option would
    fit."""
    for name, value in options.items():
        def need(count: int, name: str = name) -> int:
            return at_work(method, model, data, {**options, name: count})

        if isinstance(value, int) and value > 1 and need(1) < need(value):
            room.refuse_count(f"{method.name} with {short(f'{value:,} {name}')}", need, value, name)
    room.refuse_beyond(f"{method.name} on {described(model)}", at_work(method, model, data, options))


def check_state(method: Method, model: Model, plan: Plan, first: object) -> None:
    """The same once the first chain's state is there. Errors: as `check`."""
    if torch.device(model.device).type == "cpu":
        room.refuse_beyond(f"{method.name} with {plan.chains:,} chains", tensors(first) * (plan.chains - 1),
                           plan.chains, "chains")


def whole(method: Method, model: Model, data: Data, plan: Plan, options: Mapping[str, Any],
          observer: Observer | None = None) -> int:
    """All of it, bytes."""
    mcmc = method.family is Family.MCMC
    count = plan.steps - plan.warmup if mcmc else plan.draws
    draw = plan.chains * sum(8 * math.prod(shape) for shape in model.sites.values())
    return (at_work(method, model, data, options) + plan.chains * state(model, observer)
            + COPIES * (min(count * draw, KEPT_BYTES) + draw) + (TRACE * plan.steps * plan.chains if mcmc else 0))


def at_work(method: Method, model: Model, data: Data, options: Mapping[str, Any]) -> int:
    """The chain that is in a step, its state included, bytes; chains take their steps one after the other."""
    declared, known = getattr(method.module, "footprint", None), method.options
    if callable(declared):
        return int(declared(model, data, **{name: value for name, value in options.items() if name in known}))
    times = getattr(method.module, "AT_WORK", PYRO if method.by == "pyro" else AT_WORK)
    return int(times * (latents(model) + tensors(model) + tensors(data)))


def state(model: Model, observer: Observer | None = None) -> int:
    """Any other chain, bytes: its state, generators and what the observer keeps of it."""
    return STATE * latents(model) + GENERATORS + (tensors(observer.start()) if observer else 0)


def described(model: Model) -> str:
    """By its sites: labels (300, 300) of 2 labels."""
    return short(", ".join(f"{site} {shape}" + (f" of {model.labels[site]} labels" if site in model.labels else "")
                           for site, shape in model.sites.items()))


def latents(model: Model) -> int:
    """Bytes of a number for every latent, and for every value of those that have labels."""
    return sum(8 * math.prod(shape) * model.labels.get(site, 1) for site, shape in model.sites.items())


def tensors(value: object) -> int:
    """Bytes of the tensors in a model or in data, each once: an expanded table is one table."""
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in _in(value)}.values())


def _in(value: object) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if is_dataclass(value) and not isinstance(value, type):
        return [t for f in fields(value) for t in _in(getattr(value, f.name, None))]
    if isinstance(value, Mapping):
        return [t for each in value.values() for t in _in(each)]
    return [t for each in value for t in _in(each)] if isinstance(value, tuple | list) else []
