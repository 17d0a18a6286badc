"""A Pyro guide as SVI calls it, made from whatever a file holds, with its parameters as plain tensors.

What a file may hold: a guide of the model's own arguments, a PyroModule class or an instance, an AutoGuide class, or a
function of the `Program`, whose first argument is called `model`, that returns a guide; a Program is a Pyro program
of the data.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyro
import torch
from pyro import poutine
from pyro.distributions import Delta
from pyro.infer.autoguide import AutoGuide, init_to_value
from pyro.params.param_store import StateDict
from torch import Tensor

from errors import InputError
from inference.engine import one_thread
from inference.program.parts import pathfinder
from inference.program.parts.potential import log_density
from inference.pyro.globals import borrowed
from models.batched import double
from models.model import Data, Latents
from models.program import Program
from models.sites import Message, base, kind
from models.summed import summed

Call = Callable[[Data], Any]
Start = Callable[[Message], Tensor]  # a site's first value, as Pyro's init_loc_fn
MODEL, START = "model", "start"


@dataclass(frozen=True, eq=False)
class Guide:
    """A guide whose parameters are leaf tensors in `store`; they mean nothing until `held` fills them."""

    call: Call
    model: Program
    data: Data
    store: StateDict  # what pyro.get_param_store().get_state() gave
    point: bool  # every site is one value: log p - log q is the log joint

    @contextmanager
    def held(self, rng: torch.Generator, params: Mapping[str, Tensor]) -> Iterator[None]:
        """Pyro borrowed, its store full of these values, unconstrained."""
        with in_pyro(rng):
            pyro.get_param_store().set_state(self.store)
            with torch.no_grad():
                for name, value in self.store["params"].items():
                    value.copy_(params[name])
            yield

    def trace(self) -> poutine.Trace:
        """One run, within `held`, without gradients."""
        with torch.no_grad():
            return poutine.trace(self.call).get_trace(self.data)

    def drawn(self) -> Latents:
        """A draw of q; within `held`."""
        nodes = self.trace().nodes
        return {name: torch.as_tensor(nodes[name]["value"]).clone() for name in self.model.sites}

    def weighed(self) -> tuple[Latents, float]:
        """A draw of q, and log p(latents, data) - log q(latents) in nats; within `held`."""
        with torch.no_grad():
            drawn = poutine.trace(self.call).get_trace(self.data)
            program = poutine.trace(poutine.replay(self.model.program, trace=drawn)).get_trace(self.data)
            weight = program.log_prob_sum() - drawn.log_prob_sum()
        return {name: torch.as_tensor(program.nodes[name]["value"]).detach().clone()
                for name in self.model.sites}, float(weight)


@contextmanager
def in_pyro(rng: torch.Generator) -> Iterator[None]:
    """Pyro borrowed to fit a guide, on one thread and in float64."""
    with one_thread(), borrowed(rng), double():
        yield


def make(what: Any, model: Program, data: Data, name: str, options: Mapping[str, Any]) -> Guide:
    """The guide with parameters where it puts them itself, within `in_pyro`. Errors: InputError for one that draws
    other sites than the model's latent ones."""
    call = called(what, model, options)
    trace = poutine.trace(call).get_trace(data)
    returned = trace.nodes["_RETURN"]["value"]
    if callable(returned) and not isinstance(returned, Tensor):  # it makes guides
        pyro.clear_param_store()
        call = called(returned, model, {})
        trace = poutine.trace(call).get_trace(data)
    found = {n: site for n, site in trace.nodes.items() if site["type"] == "sample"}
    _sites(found, model, name)
    point = all(isinstance(base(found[n]["fn"]), Delta) for n in model.sites) and len(found) == len(model.sites)
    return Guide(call, model, data, pyro.get_param_store().get_state(), point)


def sites(what: Any, model: Program) -> list[str]:
    """The names of what it draws, within `in_pyro`."""
    trace = poutine.trace(called(what, model, {})).get_trace(model.data)
    return [name for name, site in trace.nodes.items() if site["type"] == "sample"]


def fitted(what: Any, model: Program, name: str) -> Program:
    """What the guide is fitted to: the program, or this with its discrete sites summed out where the guide leaves
    them out, within `in_pyro`. Errors: InputError where they cannot be."""
    try:
        draws_them = not model.known.discrete.keys().isdisjoint(sites(what, model))
    except (NotImplementedError, ValueError, RuntimeError):  # an AutoGuide of all sites, which wants continuous ones
        draws_them = False
    return model if draws_them else summed(model, name)


def begun(what: Any, model: Program) -> dict[str, Start]:
    """The option `start` of a guide that takes it: where a chain would begin, so that a mixture's components are apart
    and a climb from far away does not end beside the posterior. Within `in_pyro`."""
    taken = list(inspect.signature(what).parameters)
    if taken[:1] != [MODEL] or START not in taken or model.known.discrete:
        return {}
    rng = np.random.default_rng(int(torch.randint(2**62, ())))
    found = pathfinder.begin(log_density(model), model.coordinates.size, rng)
    if found is None:
        return {}
    return {START: init_to_value(values=model.coordinates.latents(torch.from_numpy(found.u))[0])}


def called(what: Any, model: Program, options: Mapping[str, Any]) -> Call:
    """`what` as a guide of the data."""
    if isinstance(what, type) and issubclass(what, AutoGuide):
        return what(model.program, **options)  # type: ignore[no-any-return]
    if isinstance(what, type):
        what = what()
    elif isinstance(what, torch.nn.Module):
        what = _copied(what)
    target = what.forward if isinstance(what, torch.nn.Module) else what
    if next(iter(inspect.signature(target).parameters), None) == MODEL:
        made = what(model, **options)
        return made if isinstance(made, AutoGuide) else called(made, model, {})

    def call(data: Data) -> Any:
        given = model.arguments_with(data)
        return what(*given.args, **given.kwargs, **options)

    return call


def _copied(module: torch.nn.Module) -> torch.nn.Module:
    """Another of the same parameters; an AutoGuide's copy forgets its model."""
    held = vars(module).get("_model")
    copied = copy.deepcopy(module)
    if isinstance(module, AutoGuide):  # the original forgets it too
        vars(module)["_model"] = vars(copied)["_model"] = held
    return copied


def _sites(trace: Mapping[str, Any], model: Program, name: str) -> None:
    known = model.known.latent
    drawn = {site: found for site, found in trace.items() if kind(found) in ("latent", "deterministic")
             and not found["infer"].get("is_auxiliary")}
    for site in known.keys() - drawn.keys():
        raise InputError(f"{name} does not draw the site {site}, which would then come from the prior: add "
                         f"pyro.sample(\"{site}\", ...) of shape {known[site].shape}")
    for site, found in drawn.items():
        if site not in known and kind(found) == "latent":
            raise InputError(f"{name} draws the site {site}, which the model does not have (it has "
                             f"{', '.join(known)}): rename it, or mark it infer={{\"is_auxiliary\": True}}")
        if site in known and tuple(torch.as_tensor(found["value"]).shape) != known[site].shape:
            raise InputError(f"{name} draws {site} with the shape {tuple(found['value'].shape)}, and the model has "
                             f"{known[site].shape}")
