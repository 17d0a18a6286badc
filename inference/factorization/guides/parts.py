"""What the guides of the library share: sites of independent normals, and a good place to start."""

from __future__ import annotations

import math

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import constraints

from errors import InputError
from inference.factorization.parts.by_row import sides
from inference.factorization.parts.row_conditional import Prior, posterior
from inference.factorization.parts.spectral_start import spectral_start
from inference.factorization.parts.stochastic import ITEMS
from models.factorization import Factorization
from models.ratings import Ratings

RATES = {"V_mean": 0.5, "U_scale": 0.5, "V_scale": 0.5}  # as in `stochastic.init`: 0.1 for a log-variance


def plates(model: Factorization) -> dict[str, pyro.plate]:
    """The plate that the program has around each site, made once: a row and its bias share theirs."""
    made = {name: pyro.plate(name, rows) for name, rows in (("users", model.num_users), ("items", model.num_items))}
    return {site: made["items" if site in ITEMS else "users"] for site in model.sites}


def mean_and_scale(model: Factorization, site: str) -> tuple[Tensor, Tensor]:
    """The parameters `<site>_mean` and `<site>_scale` > 0, of the site's shape."""
    shape = model.sites[site]
    return (pyro.param(f"{site}_mean", lambda: torch.zeros(shape)),
            pyro.param(f"{site}_scale", lambda: torch.ones(shape), constraint=constraints.positive))


def normal(model: Factorization, site: str, plate: pyro.plate) -> Tensor:
    """A site whose entries are independent, N(mean, scale^2)."""
    mean, scale = mean_and_scale(model, site)
    with plate:
        return pyro.sample(site, dist.Normal(mean, scale).to_event(mean.ndim - 1))


def users_given(model: Factorization, data: Ratings, V: Tensor, plate: pyro.plate) -> Tensor:
    """The site U from p(U | V, r), which is Gaussian and best possible for any q(V): see `row_conditional`.

    V is detached. By Fisher's identity, d/dV log p(r | V) = E [d/dV log p(r | U, V)] over U ~ p(U | V, r), the mean
    of the gradient is the same without the way through U's distribution, and it is less noisy and cheaper.
    """
    users, _ = sides(model, data)
    best = posterior(users, V.detach(), Prior.of(model), model.noise_variance)
    with plate:
        return pyro.sample("U", dist.MultivariateNormal(best.mean, best.spread))


def plain(model: Factorization, guide: str) -> None:
    """Errors: InputError for a model with more than U and V."""
    more = [site for site in model.sites if site not in ("U", "V")]
    if more:
        raise InputError(f"the guide {guide} is for the model of U and V alone, and this one has {', '.join(more)}: "
                         f"take mean_field or full_covariance")


def started(rng: torch.Generator, model: Factorization, data: Ratings) -> dict[str, Tensor]:
    """`spectral_start`, with variances of 1/100 of the prior's and, for items, 1/2000, as `stochastic.init` has."""
    params: dict[str, Tensor] = {}
    for site, mean in spectral_start(rng, model, data).items():
        scale = math.sqrt(model.prior_variance / (2000 if site in ITEMS else 100))
        params |= {f"{site}_mean": mean, f"{site}_scale": torch.full_like(mean, scale)}
    return params
