"""Does a guide of a user's own program draw where the model has a density, and nowhere else only?

A draw outside a site's support has no density in the model, and the ELBO is none: that is wrong, without a doubt. A
support that is a part of the site's leaves the rest of the posterior out, whatever is fitted: the ELBO is a bound all
the same, so that it is poor, and told with the prior's share there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from checks.kernels.kernel import Broken
from models.model import Latents
from models.program import Program

TINY = 1e-300  # a draw that underflows to the border is not beyond it
DRAWS = 400  # of the prior
SHARE = 0.005  # of these, below which it is let be


def check(model: Program, latents: Latents) -> None:
    """Of draws, (n, *site). Errors: Broken for those that the model cannot have."""
    for name, site in model.known.continuous.items():
        out = 0.0 if site.moves else outside(site.support, latents[name].detach())
        if out > 0:
            raise Broken(f"{named(out)} of its draws of {name} are outside what the model has a density for "
                         f"({site.support}), so that its ELBO is none: draw {name} from a distribution of that "
                         f"support, as LogNormal or Gamma of positive numbers, or through a transform")


def never(rng: torch.Generator, model: Program, sites: Mapping[str, Any]) -> list[str]:
    """What is told of sites of the guide, traced, whose fixed support is a part of the model's."""
    told, prior = [], model.draws_of_prior(rng, DRAWS)
    for name, site in sites.items():
        support = getattr(site["fn"], "support", None)
        if name not in model.known.continuous or support is None or fitted(support):
            continue
        out = outside(support, prior[name])
        if out > SHARE:
            told.append(f"poor: it draws {name} from {support} alone, where the prior has {named(1 - out)}: of "
                        f"the posterior outside it covers nothing, whatever is fitted")
    return told


def outside(support: Any, x: Tensor) -> float:
    """The share of draws with an entry outside."""
    found = ~(support.check(x) | support.check(x + TINY))
    return float(found.reshape(len(x), -1).any(1).double().mean())


def fitted(support: Any) -> bool:
    """Whether its bounds are parameters."""
    return any(isinstance(x, Tensor) and x.requires_grad for x in vars(support).values())


def named(share: float) -> str:
    return f"{100 * share:.2g}%"
