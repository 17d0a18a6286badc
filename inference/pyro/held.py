"""A Pyro model with some of its sites held at their present values: what each block of Gibbs runs on.

`survey` runs the model a few times and notes its latent sites: their shapes, and whether a support changes with the
values of other sites, as that of Uniform(0, hi) does. `Held` is the model as a block sees it. While it runs it watches
that the sites and supports are those of the survey; densities are 0 outside supports (`supports.guarded`). A free site
whose support changes is drawn without constraints, as `x_free`, and x = T(x_free), T from today's support: with the
Jacobian, p(x_free) = p(x) |dx / dx_free|, so that hi and x may be moved apart or together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.distributions import Delta, TransformedDistribution
from pyro.infer.reparam.reparam import Reparam
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor
from torch.distributions import biject_to
from torch.distributions.constraints import Constraint

from errors import InputError
from inference.generators import handed_back
from models import supports

Values = dict[str, Tensor]
Model = Callable[..., Any]
Message = Any  # what passes through Pyro's handlers, and what a trace has of a site
PROBES = 2  # further runs of the model that are compared; what they miss is found while sampling
FREE = "_free"
TRIES = 100  # draws of the prior to start from


@dataclass(frozen=True)
class Site:
    """A latent site, as the first run of the model had it."""

    value: Tensor
    support: Constraint | None
    moves: bool  # its support changes with the values of other sites

    @property
    def discrete(self) -> bool:
        return self.support is not None and bool(self.support.is_discrete)


@dataclass(frozen=True)
class Survey:
    sites: Mapping[str, Site]
    deterministic: Collection[str]

    @property
    def moving(self) -> bool:
        return any(site.moves for site in self.sites.values())


def survey(model: Model, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Survey:
    """The latent sites, with one draw from the prior. Errors: InputError where they differ from run to run."""
    first = _trace(model, args, kwargs)
    latents = _latents(first)
    with handed_back():
        others = [_latents(_trace(model, args, kwargs)) for _ in range(PROBES)]
    for other in others:
        for name in latents.keys() ^ other.keys():
            raise _changes(name)
        for name, site in other.items():
            if site["value"].shape != latents[name]["value"].shape:
                raise InputError(f"the site {name} has the shape {tuple(latents[name]['value'].shape)} in one run of "
                                 f"the model and {tuple(site['value'].shape)} in another: Gibbs needs one shape")
    spaces = {name: supports.of(site["fn"]) for name, site in latents.items()}
    moves = {name: any(not supports.same(space, supports.of(other[name]["fn"])) for other in others)
             for name, space in spaces.items()}
    found = {name: Site(site["value"].detach(), spaces[name], moves[name]) for name, site in latents.items()}
    return Survey(found, [name for name, site in first.nodes.items()
                          if site["type"] == "sample" and site["infer"].get("_deterministic")])


class Held:
    """The model with all sites of the survey held at `values`, but for those in `free`."""

    def __init__(self, model: Model, values: Values, free: Collection[str], seen: Survey) -> None:
        self.model, self.values, self.free, self.seen = model, values, list(free), seen
        self.moving: dict[str, Reparam] = {
            name: Unconstrained() for name in self.free if seen.sites[name].moves and not seen.sites[name].discrete}
        self.runs = 0

    def __call__(self, *args: object, **kwargs: object) -> object:
        self.runs += 1
        model = poutine.condition(self.model, data={n: x for n, x in self.values.items() if n not in self.free})
        if self.moving:
            model = poutine.reparam(model, config=self.moving)
        with Watch(self) as watch:
            result = model(*args, **kwargs)
        for name in self.seen.sites.keys() - watch.met:
            raise _changes(name)
        return result


class Watch(Messenger):  # type: ignore[misc]
    """Every site as the survey found it, and with a density of 0 outside its support."""

    def __init__(self, held: Held) -> None:
        super().__init__()
        self.seen, self.met = held.seen, set[str]()
        self.auxiliary = {name + FREE for name in held.moving}

    def _pyro_sample(self, msg: Message) -> None:
        if site_is_subsample(msg):
            return
        name, site = msg["name"], self.seen.sites.get(msg["name"])
        if site is None:
            if not msg["is_observed"] and name not in self.auxiliary:
                raise _changes(name)
        else:
            self.met.add(name)
            now = supports.of(msg["fn"])
            if not site.moves and not supports.same(site.support, now):
                raise InputError(
                    f"the support of the site {name} was {supports.words(site.support)} when Gibbs was set up and is "
                    f"{supports.words(now)} now: give it a fixed support, as hi * u with u ~ Uniform(0, 1) has")
        msg["fn"] = supports.guarded(msg["fn"])


class Unconstrained(Reparam):
    """x = T(x_free), T to the support that x has in this run."""

    def apply(self, msg: Message) -> Message:
        fn, value = msg["fn"], msg["value"]
        to = biject_to(fn.support)
        free = pyro.sample(msg["name"] + FREE, TransformedDistribution(fn, to.inv),
                           obs=None if value is None else to.inv(value), infer={"is_observed": msg["is_observed"]})
        x = to(free)
        return {"fn": Delta(x, event_dim=fn.event_dim), "value": x, "is_observed": True}


def trace(model: Model, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Any:
    """One run, with the log_prob of every site in it."""
    with pyro.validation_enabled(False), torch.no_grad():
        found = _trace(model, args, kwargs)
        found.compute_log_prob()
    return found


def first_draw(model: Model, seen: Survey, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Values:
    """The survey's draw of the prior, or the next one that the data allow. Errors: InputError if none of many is."""
    why = None
    for _ in range(TRIES):
        values = {name: site.value for name, site in seen.sites.items()}
        why = fault(trace(Held(model, values, [], seen), args, kwargs))
        if why is None:
            return values
        seen = survey(model, args, kwargs)
    raise InputError(f"none of {TRIES} draws of the prior is possible given the data ({why}): look at the data, or say "
                     f"where to start, by initial_params of MCMC")


def fault(found: Any) -> str | None:
    """Which site makes the log joint of this run NaN or infinite, and how; None if it is a number."""
    for name, site in found.nodes.items():
        if site["type"] != "sample" or bool(torch.isfinite(site["log_prob"]).all()):
            continue
        if bool(site["log_prob"].isnan().any()):
            return f"log p of the site {name} is NaN"
        if bool((site["log_prob"] == torch.inf).any()):
            return f"the density of the site {name} is infinite"
        support = supports.of(site["fn"])
        ok = supports.inside(support, site["value"])
        if ok is None or bool(ok.all()):
            return f"the site {name} has probability 0"
        return f"{int((~ok).sum())} of {ok.numel()} values of the site {name} lie outside {supports.words(support)}"
    return None


def _trace(model: Model, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Any:
    with poutine.block(), torch.no_grad():
        return poutine.trace(model).get_trace(*args, **kwargs)


def _latents(found: Any) -> dict[str, Message]:
    """The sites that are drawn."""
    latents: dict[str, Message] = {}
    for name, site in found.nodes.items():
        if site["type"] != "sample" or site["is_observed"]:
            continue
        if not site_is_subsample(site):
            latents[name] = site
        elif site["fn"].subsample_size is not None and site["fn"].subsample_size < site["fn"].size:
            raise InputError(f"the plate {name} of the model takes a subsample: Gibbs needs all of the data")
    return latents


def _changes(name: str) -> InputError:
    return InputError(f"the model draws the site {name} in some runs and not in others: Gibbs needs the same sites in "
                      f"every run, so draw it always, and use it only where it has a say")
