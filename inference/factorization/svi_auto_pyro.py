"""Variational inference with Pyro's automatic guides, by name.

    AutoNormal                       every entry a normal by itself: the family of `guide_mean_field_pyro`
    AutoMultivariateNormal           all entries together: N(loc, F F'), F lower triangular; for small problems
    AutoLowRankMultivariateNormal    all entries together: N(loc, S (I + F F') S), S diagonal, F of few columns
    AutoDelta                        one point, the maximum of the posterior density

SVI with one sample a minibatch (`Trace_ELBO`: these guides hide q in an auxiliary site, where no KL is closed form).
The reported ELBO is exact for AutoNormal and estimated from 8 samples for the joint normals; AutoDelta has none, and
reports the log joint it climbs. Cost of an epoch: N K, and users x K (x columns of F) a minibatch.

Options:

    guide        which of Pyro's, see above
    columns      of F, for AutoLowRankMultivariateNormal
    lr           learning rate of Adam; by default 0.1, for AutoLowRankMultivariateNormal 0.03
    batch_size   ratings in a minibatch; by default a 32nd of them
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import pyro
import torch
from pyro.infer import Trace_ELBO
from pyro.infer.autoguide import (
    AutoDelta,
    AutoGuide,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    AutoNormal,
    init_to_feasible,
    init_to_value,
)
from torch.distributions import transform_to

from errors import InputError, unknown
from inference.factorization.parts.gaussian import expected, standard_normal
from inference.factorization.parts.mean_field_elbo import elbo
from inference.factorization.parts.spectral_start import spectral_start
from inference.factorization.parts.stochastic import (
    ITEMS,
    State,
    Tensors,
    check_batch,
    check_rate,
    decay,
    refuse_divergence,
    with_adam,
)
from inference.factorization.parts.stochastic_pyro import epoch, fitting
from inference.footprint import PYRO, latents, tensors
from inference.method import Family, Info, Kind, Latents, Quantities
from models.factorization import Factorization
from models.ratings import Ratings

FAMILY = Family.VARIATIONAL

MAX_FACTORS = 2**23  # numbers in F; Adam keeps three of each
FULL, LOW_RANK = "AutoMultivariateNormal", "AutoLowRankMultivariateNormal"

__all__ = ["FAMILY", "State", "draw", "expect", "init", "step"]


def footprint(model: Factorization, data: Ratings, *, columns: int = 10, **_: object) -> int:
    """A chain at work, bytes: `columns` numbers for every entry at most; the guide of a whole covariance is small."""
    return PYRO * (latents(model) * (1 + columns) + tensors(data))


def init(
    rng: torch.Generator, model: Factorization, data: Ratings, *,
    guide: Literal["AutoNormal", "AutoMultivariateNormal", "AutoLowRankMultivariateNormal", "AutoDelta"] = "AutoNormal",
    columns: int = 10, lr: float | None = None, batch_size: int | None = None,
) -> State:
    """`columns` of F for the low-rank guide; the start, batches and learning rates are those of `stochastic.init`,
    but 0.03 for the low-rank guide, whose w moves everything at once and makes every gradient noisy; and for the
    whole covariance, of D entries, 4/D of the rate for F, for D numbers add up in every entry."""
    entries = sum(math.prod(shape) for shape in model.sites.values())
    if guide == LOW_RANK and (columns < 1 or entries * columns > MAX_FACTORS):
        raise InputError(f"{guide} with {columns} columns for {entries} entries of U and V: give at least one "
                         f"column and at most {MAX_FACTORS // entries}, or take the guide AutoNormal")
    if guide == FULL and entries**2 > MAX_FACTORS:
        raise InputError(f"{guide} has a covariance of all entries of U and V, {entries:,}, and can have one of "
                         f"{math.isqrt(MAX_FACTORS):,}: take {LOW_RANK}, or --guide full_covariance")
    lr = check_rate((0.03 if guide == LOW_RANK else 0.1) if lr is None else lr)
    size = check_batch(model, data, batch_size, 32)
    start = spectral_start(rng, model, data)
    with fitting(rng):
        automatic(guide, model, data, columns, 0.05 * math.sqrt(model.prior_variance), init_to_value(values=start))
        params = {name: value.detach() for name, value in pyro.get_param_store().named_parameters()}
    slower = {name: 4 / entries for name in params if name.endswith("scale_tril")}
    slower |= {name: 0.5 for name in params if name.rpartition(".")[2] in ITEMS and ".scales." not in name}
    rates = {name: lr * min(1.0, slower.get(name, 1.0)) for name in params}
    return with_adam(params, rates, decay(data, size), size)


def automatic(name: str, model: Factorization, data: Ratings, columns: int, scale: float = 0.1,
              start: Callable[..., Any] = init_to_feasible) -> AutoGuide:
    """Pyro's guide by that name, its parameters in Pyro's store. One rating is enough to find the sites with."""
    extra: dict[str, Any] = {"AutoNormal": {"init_scale": scale}, "AutoDelta": {}, FULL: {"init_scale": scale},
                             LOW_RANK: {"init_scale": scale, "rank": columns}}
    kinds = {kind.__name__: kind
             for kind in (AutoNormal, AutoMultivariateNormal, AutoLowRankMultivariateNormal, AutoDelta)}
    if name not in kinds:
        raise unknown("guide", name, kinds)
    guide = kinds[name](model.program, init_loc_fn=start, **extra[name])
    guide(data, batch=torch.zeros(1, dtype=torch.int64, device=data.device))
    return guide


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    with fitting(rng):
        guide = automatic(kind(state), model, data, columns(state))
        for name, value in pyro.get_param_store().named_parameters():
            value.data.copy_(state.params[name])
        state = epoch(rng, state, model, data, guide, Trace_ELBO())
        info = report(state, model, data, guide)
    return state, info


def report(state: State, model: Factorization, data: Ratings, guide: AutoGuide) -> Info:
    """Where an epoch ended: the ELBO, exact or estimated, or a point's log joint."""
    loc, scale, _ = parts(state, model)
    if kind(state) in (FULL, LOW_RANK):
        with torch.no_grad():
            bound, sort = -Trace_ELBO(num_particles=8).loss(model.program, guide, data), Kind.ESTIMATE
    elif kind(state) == "AutoNormal":
        bound, sort = float(elbo(model, data, {site: (loc[site], scale[site]**2) for site in loc})), Kind.LOWER
    else:
        height = float(model.log_joint(loc, data))
        refuse_divergence(height, state.steps, state)
        return Info(objective=height)
    refuse_divergence(bound, state.steps, state)
    return Info(elbo=bound, log_evidence=bound, kind=sort)


def kind(state: State) -> str:
    """The guide's name, which Pyro puts before every parameter's."""
    return next(iter(state.params)).partition(".")[0]


def columns(state: State) -> int:
    """Of F; 0 for guides without."""
    factor = state.params.get(f"{LOW_RANK}.cov_factor", state.params.get(f"{FULL}.scale_tril"))
    return 0 if factor is None else factor.shape[1]


def parts(state: State, model: Factorization) -> tuple[Tensors, Tensors, Tensors]:
    """q as U, V = loc + scale * z + factor @ w with z, w ~ N(0, 1) and w in common: of every site, shaped
    (rows, K), (rows, K) and (rows, K, columns of F)."""
    positive = transform_to(AutoNormal.scale_constraint)
    params = {name.partition(".")[2]: value for name, value in state.params.items()}
    if kind(state) in (FULL, LOW_RANK):
        sizes = [math.prod(shape) for shape in model.sites.values()]
        scale, low = positive(params["scale"]), kind(state) == LOW_RANK
        mix = params["cov_factor"] if low else transform_to(AutoMultivariateNormal.scale_tril_constraint)(
            params["scale_tril"])
        loc, spread, factor = (
            {site: part.reshape(*shape, *part.shape[1:])
             for (site, shape), part in zip(model.sites.items(), whole.split(sizes), strict=True)}
            for whole in (params["loc"], scale * low, mix * scale[:, None]))
        return loc, spread, factor
    point = kind(state) == "AutoDelta"
    loc = {site: params[site if point else f"locs.{site}"] for site in model.sites}
    scale = {site: torch.zeros_like(loc[site]) if point else positive(params[f"scales.{site}"]) for site in loc}
    return loc, scale, {site: mean.new_zeros(*mean.shape, 0) for site, mean in loc.items()}


def draw(rng: torch.Generator, state: State, model: Factorization) -> Latents:
    loc, scale, factor = parts(state, model)
    w = standard_normal(rng, loc["U"].new_empty(columns(state)))
    return {site: loc[site] + scale[site] * standard_normal(rng, loc[site]) + factor[site] @ w for site in loc}


def expect(state: State, model: Factorization) -> Quantities:
    """Means and variances; between entries of U and V that are correlated, E[u.v] = m_u . m_v + tr(F_u F_v')."""
    loc, scale, factor = parts(state, model)
    found = expected(model, {site: (loc[site], scale[site]**2 + (factor[site]**2).sum(-1)) for site in loc})
    if columns(state) and model.pairs is not None:
        user, item = model.pairs
        shared = factor["U"].index_select(0, user) * factor["V"].index_select(0, item)
        found["prediction"] = found["prediction"] + shared.sum((-2, -1))
        del found["prediction_var"]
    return found
