"""The sites of a user's Pyro program, found by running it a few times, and whether all methods can work with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.distributions import ImproperUniform
from torch import Tensor

from errors import SAID, InputError, short
from models import supports
from models.arguments import Arguments
from models.sites import Message, Site, Sites, Started, base, kind, log_prob

RUNS = 20  # of the program, whose sites must be the same
Run = Callable[..., Any]


def survey(program: Run, given: Arguments) -> Sites:
    """Of a program called with these arguments, in float64. Errors: InputError for one that no method can run."""
    first = _run(program, given)
    for name, site in first.items():
        if site["type"] == "sample" and not isinstance(site["value"], Tensor | int | float | None):
            raise InputError(f"the site {name} is observed at a value of type {type(site['value']).__name__}: make it "
                             f"a tensor in data(), as torch.as_tensor(...) does")
        missing = torch.as_tensor(site["value"]).isnan() if site["type"] == "sample" else torch.zeros(())
        if bool(missing.any()):
            at = missing.nonzero()[0].tolist()
            raise InputError(f"the value of the site {name} is NaN{f' at entry {at}' if at else ''}: leave out what is "
                             f"missing, or look at the arguments of its distribution")
    _run(program, given, validate=True)
    others = [_run(program, given) for _ in range(RUNS)]
    kinds = {name: kind(site) for name, site in first.items()}
    _the_same(first, others)
    for name, site in first.items():
        if kinds[name] in ("latent", "observed"):
            _fits(name, site)
    if found := _named(kinds, "param"):
        raise InputError(f"the model has the parameter {found[0]} (pyro.param, or a module's weights): give it a "
                         f"prior by pyro.sample, or its value as an argument")
    if found := _named(kinds, "subsample"):
        raise InputError(f"the plate {found[0]} of the model takes a subsample: leave subsample_size out, so that "
                         f"every run sees all of the data")
    sites = {name: _site(name, first[name], others) for name, k in kinds.items() if k in ("latent", "observed")}
    latent, observed = ({n: s for n, s in sites.items() if kinds[n] == k} for k in ("latent", "observed"))
    for name in (*latent, *_named(kinds, "deterministic")):
        if "/" in name:
            raise InputError(f"the site {name} has a slash in its name, which nothing in a result can have: call it "
                             f"{name.replace('/', '_')}")
    if not latent:
        raise InputError("the model draws nothing: every pyro.sample of it is observed, so there is nothing to infer")
    if not observed and "factor" not in kinds.values():
        raise InputError("the model observes nothing: give one of its pyro.sample the data, as obs=y")
    for name, found in first.items():
        value = found.get("value")
        if isinstance(value, Tensor) and value.device.type != "cpu":
            raise InputError(f"the site {name} is on the device {value.device}: make the data on the CPU")
        if isinstance(value, Tensor) and kinds[name] == "latent" and value.dtype == torch.float32:
            raise InputError(f"the site {name} is drawn in float32, and everything is computed in float64: make the "
                             f"numbers of its prior in float64, or leave out their dtype")
    return Sites(latent, observed, *(tuple(_named(kinds, k)) for k in ("deterministic", "factor")))


def _run(program: Run, given: Arguments, validate: bool = False) -> dict[str, Message]:
    """The sites of one run, in order."""
    with torch.no_grad(), pyro.validation_enabled(validate), poutine.block(), Started():
        found: dict[str, Message] = dict(poutine.trace(program).get_trace(*given.args, **given.kwargs).nodes)
    return {name: site for name, site in found.items() if site["type"] in ("sample", "param")}


def _fits(name: str, site: Message) -> None:
    """Errors: InputError for a value whose log p cannot be worked out, or is of more entries than both it and its
    distribution have: a column against a row."""
    fn, value = site["fn"], torch.as_tensor(site["value"])
    own, drawn = tuple(value.shape), (*fn.batch_shape, *fn.event_shape)
    try:
        found = log_prob(site)
    except Exception as error:  # of somebody else's distribution
        whole = "" if value.is_floating_point() else " and of whole numbers (y.double() makes them floats)"
        raise InputError(f"the site {name} has no log p: its value is of shape {own}{whole}, and its distribution "
                         f"draws {drawn} ({short(error, SAID)})") from error
    if found.numel() > max(value.numel(), math.prod(fn.batch_shape)):
        raise InputError(f"log p of the site {name} has the shape {tuple(found.shape)}, every value against every "
                         f"other: the data are of shape {own}, and their distribution draws {drawn}; give both one "
                         f"shape, as y.squeeze(-1) does")


def _site(name: str, site: Message, others: list[dict[str, Message]]) -> Site:
    fn, value = site["fn"], torch.as_tensor(site["value"])
    batch = value.ndim - fn.event_dim
    plates = {batch + f.dim: f.name for f in site["cond_indep_stack"] if f.vectorized and batch + f.dim >= 0}
    support = supports.of(fn)
    return Site(name, tuple(value.shape), support, plates, isinstance(base(fn), ImproperUniform),
                any(not supports.same(support, supports.of(other[name]["fn"])) for other in others), _choices(fn))


def _choices(fn: Any) -> Tensor | None:
    """The values of one entry, (K, *event)."""
    if not getattr(fn, "has_enumerate_support", False) or not getattr(supports.of(fn), "is_discrete", False):
        return None
    try:
        found: Tensor = fn.enumerate_support(expand=False)
    except NotImplementedError:  # as many as other sites say
        return None
    return found.reshape(len(found), *found.shape[found.ndim - fn.event_dim:])


def _the_same(first: dict[str, Message], others: list[dict[str, Message]]) -> None:
    """Errors: InputError for sites that change from run to run."""
    for other in others:
        for name in first.keys() ^ other.keys():
            raise InputError(f"the model has the site {name} in some runs and not in others: draw the same sites in "
                             f"every run, and use {name} only where it has a say")
        for name, site in first.items():
            shapes = [tuple(torch.as_tensor(s["value"]).shape) for s in (site, other[name])]
            if shapes[0] != shapes[1]:
                raise InputError(f"the site {name} has the shape {shapes[0]} in one run of the model and {shapes[1]} "
                                 f"in another: give it one shape")


def _named(kinds: Mapping[str, str], wanted: str) -> list[str]:
    return [name for name, found in kinds.items() if found == wanted]
