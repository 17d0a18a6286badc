"""Any Pyro guide as a method of the contract: a step is an epoch of SVI, by natural gradients or by Adam.

Where q is Gaussian, site by site, and its parameters are means, scales, (log-)variances or roots of covariances
(`places`), an epoch is a natural step of the users and one of the items, on all ratings (`parts.natural`), whoever
wrote the guide. Any other, and one that is given a learning rate or a batch size, takes steps of Adam over minibatches.

What a guide may be is told in `guide_pyro`. Beside it the file may hold

    def start(rng, model, data, **options) -> dict      # parameters by name, constrained: where they start
    RATES = {"V_mean": 0.5}                             # learning rates, as shares of lr, by the start of a name

Adam's loss is `TraceMeanField_ELBO` where the guide's sites allow it, else `Trace_ELBO`. The reported ELBO is exact
where q is Gaussian and its sites are independent, else an estimate from 8 samples of log p - log q, which vary little
where q is good. Cost of an epoch: N K, and for Adam the guide's own a minibatch.

Options:

    steps        natural, or adam; auto: natural where the guide allows it, unless lr or batch_size is given
    lr           learning rate of Adam; by default 0.1
    batch_size   ratings in a minibatch; by default a 32nd of them
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import pyro
import torch
from pyro.infer import Trace_ELBO
from torch import Tensor

from errors import InputError, unknown
from inference.engine import one_thread
from inference.factorization.guides import guide as guide_pyro
from inference.factorization.guides import places
from inference.factorization.guides import preflight as preflight_guide
from inference.factorization.guides.guide import Call, Guide, in_pyro, option_parameters
from inference.factorization.parts import natural, stochastic
from inference.factorization.parts.gaussian import expected
from inference.factorization.parts.mean_field_elbo import Moments, elbo
from inference.factorization.parts.stochastic import check_batch, check_rate, decay, refuse_divergence, with_adam
from inference.factorization.parts.stochastic_pyro import epoch
from inference.method import Family, Info, Kind, Latents, Method, Quantities
from models.factorization import Factorization
from models.ratings import Ratings

PARTICLES = 8  # of an estimated ELBO
LR, BATCHES = 0.1, 32  # the default learning rate, and minibatches of an epoch
TRIPLES = ("user", "item", "rating")
Start = Callable[..., dict[str, Tensor]]


@dataclass(frozen=True, eq=False)
class State(stochastic.State):
    """Variational parameters, unconstrained, and what Adam remembers of them."""

    options: dict[str, Any] = field(default_factory=dict)  # of the guide, to make it again
    ratings: dict[str, Tensor] | None = None  # the data, where q is conditional on them
    places: places.Places = field(default_factory=dict)  # of its parameters, where steps are natural


def as_method(module: ModuleType, what: Callable[..., Any], name: str, by: str) -> Method:
    """The method that fits the guide `what`, which `module` holds."""
    file = str(module.__file__) if by == "user" else ""
    start: Start | None = getattr(module, "start", None)
    rates: dict[str, float] = getattr(module, "RATES", {})
    parameters = option_parameters(what)
    made: list[Guide] = []  # the last one, for it is slower to make than to fill

    def guide(model: Factorization, data: Ratings | None, options: dict[str, Any]) -> Guide:
        """The guide for this model; without data for any that were seen last, or one rating's, which is no matter."""
        if not (made and made[0].model is model and made[0].options == options and data in (None, made[0].data)):
            with in_pyro(torch.Generator(device=model.device), model), blaming(file):
                made[:] = [guide_pyro.make(what, model, one_rating(model) if data is None else data, options)]
        return made[0]

    def of(state: State, model: Factorization) -> Guide:
        if state.ratings is None:
            return guide(model, None, state.options)
        if made and all(getattr(made[0].data, n) is x for n, x in state.ratings.items()):
            return guide(model, made[0].data, state.options)
        user, item, rating = (state.ratings[n] for n in TRIPLES)
        return guide(model, Ratings(user, item, rating, model.num_users, model.num_items), state.options)

    def init(rng: torch.Generator, model: Factorization, data: Ratings, *, steps: natural.Steps = "auto",
             lr: float | None = None, batch_size: int | None = None, **options: Any) -> State:
        by_nature = natural.wanted(steps, lr=lr, batch_size=batch_size)
        lr, size = check_rate(LR if lr is None else lr), check_batch(model, data, batch_size, BATCHES)
        options = {p.name: p.default for p in parameters} | options
        with blaming(file):
            first = start(rng, model, data, **_taken(start, options)) if start else {}
            with in_pyro(rng, model):
                params = _placed(guide_pyro.make(what, model, data, options), first, name)
            shares = {p: next((s for n, s in rates.items() if p.startswith(n)), 1.0) for p in params}
            made.clear()  # from now on it is made with one seed, for what it draws that is no parameter
            now = guide(model, data, options)
            conditional = _conditional(now, params, what)
            found = places.find(torch.Generator(device=model.device), now, params) if by_nature else {}
        if steps == "natural" and not found:
            raise InputError(f"{name} cannot take natural steps: these need a q that is Gaussian, site by site, "
                             f"with its means and scales as parameters; take steps=adam")
        if found:
            return State(params, {}, {}, {}, 1.0, size, natural=True, options=options, places=found)
        base = with_adam(params, {p: lr * share for p, share in shares.items()}, decay(data, size), size)
        return State(**vars(base), options=options, ratings=_triples(data) if conditional else None)

    def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
        if state.ratings is not None:
            state = replace(state, ratings=_triples(data))
        now = guide(model, data, state.options)
        with blaming(file):
            if state.natural:
                return naturally(rng, state, now)
            with now.held(rng, state.params):
                after = epoch(rng, state, model, data, now.call, now.loss)
            return after, report(rng, after, now)

    def draw(rng: torch.Generator, state: State, model: Factorization) -> Latents:
        now = of(state, model)
        with blaming(file), now.held(rng, state.params):
            sites = guide_pyro.latent(now.trace())
        return {site: sites[site]["value"].detach().expand(shape).clone() for site, shape in model.sites.items()}

    def expect(state: State, model: Factorization) -> Quantities | None:
        known = closed_form(of(state, model), state)
        return None if known is None else expected(model, known)

    def preflight(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> None:
        with blaming(file):
            preflight_guide.check(rng, guide(model, data, state.options), state.params, name,
                                  lambda: guide_pyro.make(what, model, data, state.options))

    head = list(inspect.signature(init, eval_str=True).parameters.values())[:-1]
    init.__signature__ = inspect.Signature(head + parameters)  # type: ignore[attr-defined]
    return Method(name, Family.VARIATIONAL, by, module, init, step, draw, expect, preflight=preflight, states=(State,),
                  guide=what)


def naturally(rng: torch.Generator, state: State, guide: Guide) -> tuple[State, Info]:
    """An epoch of natural steps: q's moments off the guide, a step of the users, one of the items, and back into it."""
    q = closed_form(guide, state)
    assert q is not None, "places are found for guides with closed forms only"
    with one_thread():
        q = natural.sweep(guide.model, guide.data, q)
    params = places.put(guide, state.places, q)
    state = replace(state, params=params, epochs=state.epochs + 1, steps=state.steps + 2)
    return state, report(rng, state, guide)


def report(rng: torch.Generator, state: State, guide: Guide) -> Info:
    """Where an epoch ended."""
    known = closed_form(guide, state)
    if known is not None:
        with one_thread():
            bound, kind = float(elbo(guide.model, guide.data, known)), Kind.LOWER
    else:
        with guide.held(rng, state.params), torch.no_grad():
            samples = [-Trace_ELBO().loss(guide.model.program, guide.call, guide.data) for _ in range(PARTICLES)]
        bound, kind = math.fsum(samples) / PARTICLES, Kind.ESTIMATE
    refuse_divergence(bound, state.steps, state)
    return Info(elbo=bound, log_evidence=bound, kind=kind)


def closed_form(guide: Guide, state: State) -> Moments | None:
    """The moments of q, where they say everything of it."""
    return places.moments(guide, state.params)


def one_rating(model: Factorization) -> Ratings:
    """A data set of the right size, for guides that look no further."""
    zero = torch.zeros(1, dtype=torch.int64, device=model.device)
    return Ratings(zero, zero, zero.double(), model.num_users, model.num_items)


@contextmanager
def blaming(file: str) -> Iterator[None]:
    """What goes wrong in a user's guide is said of their file and line; in ours, it is a fault."""
    try:
        yield
    except InputError as error:  # Pyro writes the shapes of all sites below whatever is raised in a guide
        raise type(error)(str(error).partition("\nTrace Shapes:")[0]) from error
    except Exception as error:
        if not file:
            raise
        raise InputError(preflight_guide.explained(error, file)) from error


def _placed(guide: Guide, first: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The parameters, unconstrained, those in `first` where it says. Within `in_pyro`."""
    store = pyro.get_param_store()
    for param, value in first.items():
        if param not in store:
            raise unknown(f"parameter in what `start` of {name} gives", param, store.keys())
        if value.shape != store[param].shape:
            raise InputError(f"`start` of {name} gives {param} the shape {tuple(value.shape)}, and the guide "
                             f"{tuple(store[param].shape)}")
        placed = torch.distributions.transform_to(guide.store["constraints"][param]).inv(value)
        with torch.no_grad():
            guide.store["params"][param].copy_(placed)
    return {param: value.detach().clone() for param, value in guide.store["params"].items()}


def _triples(data: Ratings) -> dict[str, Tensor]:
    return {name: getattr(data, name) for name in TRIPLES}


def _conditional(guide: Guide, params: dict[str, Tensor], what: Call) -> bool:
    """Does what it draws depend on the ratings? It does if it draws otherwise from one rating."""
    drawn = []
    try:
        for data in (guide.data, one_rating(guide.model)):
            rng = torch.Generator(device=guide.model.device)
            with in_pyro(rng, guide.model):
                other = guide if data is guide.data else guide_pyro.make(what, guide.model, data, guide.options)
            with other.held(rng, params):
                drawn.append(guide_pyro.latent(other.trace()))
    except Exception:  # whatever it asked of the ratings, it asked
        return True
    a, b = ({name: site["value"] for name, site in sites.items()} for sites in drawn)
    return a.keys() != b.keys() or not all(torch.equal(a[name], b[name]) for name in a)


def _taken(function: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """Those of the options that the function has."""
    return {name: value for name, value in options.items() if name in inspect.signature(function).parameters}
