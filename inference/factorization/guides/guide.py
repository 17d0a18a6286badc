"""A Pyro guide as SVI calls it, made from whatever a file holds, with its parameters as plain tensors.

What a file may hold: a guide function, a PyroModule class, an AutoGuide class, or a function that returns a guide.
Arguments are given by name: `model` (the Factorization; an AutoGuide gets its `program`), `data`, `batch_size`,
`batch`, and the options, which are the keyword-only ones. A guide that names no `data` gets it first.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, get_args

import pyro
import pyro.distributions as dist
import pyro.poutine as poutine
import torch
from pyro.distributions.torch_distribution import TorchDistribution
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from pyro.infer.autoguide import AutoGuide
from pyro.params.param_store import StateDict
from pyro.poutine import Trace
from torch import Tensor
from torch.distributions import Distribution, LowRankMultivariateNormal, MultivariateNormal

from errors import InputError
from inference.factorization.parts.mean_field_elbo import Moments
from inference.factorization.parts.stochastic_pyro import fitting
from models.factorization import Factorization
from models.ratings import Ratings

Call = Callable[..., Any]  # guide(data, batch_size=None, batch=None)
Site = Any  # what a trace of Pyro's has of one
Options = Mapping[str, Any]
PLAIN = (bool, int, float, str)
OURS = ("model", "data", "batch_size", "batch")


@dataclass(frozen=True, eq=False)
class Guide:
    """A guide whose parameters are leaf tensors in `store`; they mean nothing until `held` fills them."""

    call: Call
    model: Factorization
    data: Ratings
    options: dict[str, Any]
    store: StateDict  # what pyro.get_param_store().get_state() gave
    loss: Trace_ELBO

    @contextmanager
    def held(self, rng: torch.Generator, params: Mapping[str, Tensor]) -> Iterator[Guide]:
        """Pyro borrowed, its store full of these values, unconstrained."""
        with in_pyro(rng, self.model):
            pyro.get_param_store().set_state(self.store)
            with torch.no_grad():
                for name, value in self.store["params"].items():
                    value.copy_(params[name])
            yield self

    def trace(self) -> Trace:
        """One run, within `held`, without gradients."""
        with torch.no_grad():
            return poutine.trace(self.call).get_trace(self.data)


@contextmanager
def in_pyro(rng: torch.Generator, model: Factorization) -> Iterator[None]:
    """Pyro borrowed; tensors that a guide makes are in the model's precision and on its device."""
    before, device = torch.get_default_dtype(), torch.device(model.device)
    with fitting(rng), nullcontext() if device.type == "cpu" else device:
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(before)


def make(what: Call, model: Factorization, data: Ratings, options: Options) -> Guide:
    """The guide with parameters where it puts them itself. Within `in_pyro`."""
    one = torch.zeros(1, dtype=torch.int64, device=data.device)
    if isinstance(what, type):
        built = what(model.program, **options) if issubclass(what, AutoGuide) else \
            bound(what, model, options)(data)
        call = bound(built, model, {})
        trace = poutine.trace(call).get_trace(data, batch=one)
    else:
        call = bound(what, model, options)
        trace = poutine.trace(call).get_trace(data, batch=one)
        returned = trace.nodes["_RETURN"]["value"]
        if callable(returned):  # it makes guides
            call = bound(returned, model, {})
            trace = poutine.trace(call).get_trace(data, batch=one)
    return Guide(call, model, data, dict(options), pyro.get_param_store().get_state(), loss(trace))


def bound(function: Call, model: Factorization, options: Options) -> Call:
    """`function` as one of (data, batch_size=None, batch=None)."""
    target = function.forward if isinstance(function, torch.nn.Module) else function
    parameters = inspect.signature(target).parameters.values()
    named = {p.name for p in parameters}

    def call(data: Ratings, batch_size: int | None = None, batch: Tensor | None = None) -> Any:
        known = {"model": model, "data": data, "batch_size": batch_size, "batch": batch, **options}
        given: list[Any] = []
        words: dict[str, Any] = {}
        for p in parameters:
            if p.kind is p.VAR_POSITIONAL:
                given += [] if "data" in named or given else [data]
            elif p.kind is p.VAR_KEYWORD:
                words |= {name: known[name] for name in OURS[2:] if name not in words and known[name] is not None}
            elif p.name in known and p.kind is p.KEYWORD_ONLY:
                words[p.name] = known[p.name]
            elif p.name in known:
                given.append(known[p.name])
            elif p.default is p.empty and "data" not in named and not any(x is data for x in given):
                given.append(data)
            elif p.default is p.empty:
                raise InputError(f"{getattr(function, '__name__', type(function).__name__)} has an argument "
                                 f"{p.name}: a guide takes some of {', '.join(OURS)}; give others a default")
            elif p.kind is not p.KEYWORD_ONLY:
                given.append(p.default)
        return function(*given, **words)

    return call


def option_parameters(what: Call) -> list[inspect.Parameter]:
    """The options: keyword-only arguments that are numbers or words, of their default's type where they name none.

    Errors: InputError for one without a default.
    """
    found = []
    for p in inspect.signature(what, eval_str=True).parameters.values():
        if p.kind is not p.KEYWORD_ONLY or p.name in OURS:
            continue
        if p.default is p.empty:
            raise InputError(f"the option {p.name} of {getattr(what, '__name__', what)} has no default: give it one")
        kinds = set(get_args(p.annotation)) - {type(None)}
        if isinstance(p.default, PLAIN) or (p.default is None and kinds and kinds <= set(PLAIN)):
            found.append(p.replace(annotation=type(p.default)) if p.annotation is p.empty else p)
    return found


def loss(trace: Trace) -> Trace_ELBO:
    """`TraceMeanField_ELBO`, unless the guide draws in a way whose KL has no closed form site by site."""
    for site in latent(trace).values():
        auxiliary = site["infer"].get("is_auxiliary")
        if auxiliary or isinstance(base(site["fn"]), dist.Delta) or not site["fn"].has_rsample:
            return Trace_ELBO()
    return TraceMeanField_ELBO()


def latent(trace: Trace) -> dict[str, Site]:
    """The sites that a guide draws, without the subsamples of its plates."""
    return {name: site for name, site in trace.nodes.items() if site["type"] == "sample"
            and not site["is_observed"] and type(site["fn"]).__name__ != "_Subsample"}


def base(fn: Distribution) -> Distribution:
    """A distribution without what declares or expands its dimensions."""
    while isinstance(fn, dist.Independent | dist.ExpandedDistribution):
        fn = fn.base_dist
    return fn


def moments(first: Trace, second: Trace, model: Factorization) -> Moments | None:
    """Means and variances, or covariances of rows, where q is Gaussian and its sites are independent of each other;
    which shows in two runs: they do not change with the draws."""
    found = []
    for trace in (first, second):
        sites = latent(trace)
        if sites.keys() != model.sites.keys():
            return None
        found.append({name: _moments(sites[name]["fn"], model.sites[name]) for name in model.sites})
    if any(a is None or b is None or not (torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]))
           for a, b in zip(found[0].values(), found[1].values(), strict=True)):
        return None
    known: Moments = {name: m for name, m in found[0].items() if m is not None}
    full = any(spread.ndim > mean.ndim for mean, spread in known.values())
    if full and known.keys() != {"U", "V"}:
        return None  # the closed forms have no covariance of a row and a bias
    return {name: (mean, spread if spread.ndim > mean.ndim or not full else torch.diag_embed(spread))
            for name, (mean, spread) in known.items()}


def _moments(fn: TorchDistribution, shape: tuple[int, ...]) -> tuple[Tensor, Tensor] | None:
    inner = base(fn)
    if fn.batch_shape + fn.event_shape != torch.Size(shape):
        return None
    if isinstance(inner, dist.Normal):
        return inner.mean.detach().expand(shape), inner.variance.detach().expand(shape)
    if isinstance(inner, MultivariateNormal | LowRankMultivariateNormal) and fn.event_dim == 1:
        return inner.mean.detach().expand(shape), inner.covariance_matrix.detach().expand(*shape, shape[-1])
    return None
