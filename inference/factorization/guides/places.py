"""Which parameter of a guide says what of q: where a natural-gradient step puts the new moments.

Found by looking, not by names: with its parameters moved at random, a guide's sites have some means and spreads, and
a parameter that equals one of these, read in one of the ways below, is taken to be it. Then other moments are put
there; if the guide has them, the places are right. A guide that computes its means by a network, that shares a
parameter between rows or is not Gaussian has no places, and takes steps of Adam.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.distributions import transform_to

from inference.factorization.guides import guide as guide_pyro
from inference.factorization.guides.guide import Guide
from inference.factorization.parts.mean_field_elbo import GAUSSIAN, Moments

Places = dict[str, tuple[str, str]]  # parameter -> (site, how it is read)

DIAGONAL: dict[str, Callable[[Tensor], Tensor]] = {
    "standard deviation": torch.sqrt, "log standard deviation": lambda v: 0.5 * v.log(), "variance": lambda v: v,
    "log variance": torch.log}
FULL: dict[str, Callable[[Tensor], Tensor]] = {
    "root": lambda C: C, "scale of the root": lambda C: C.diagonal(dim1=1, dim2=2),
    "root of unit diagonal": lambda C: C / C.diagonal(dim1=1, dim2=2)[..., None]}


def readings(mean: Tensor, spread: Tensor) -> dict[str, Tensor]:
    """All that a parameter may be of a site, constrained. L L' = S is the root of a covariance."""
    if spread.ndim == mean.ndim:
        return {"mean": mean} | {name: read(spread) for name, read in DIAGONAL.items()}
    root = torch.linalg.cholesky(spread)
    return {"mean": mean} | {name: read(root) for name, read in FULL.items()}


def find(rng: torch.Generator, guide: Guide, params: Mapping[str, Tensor]) -> Places:
    """The place of every parameter; none at all where one has none or the guide does not follow."""
    if not set(guide.model.sites) <= GAUSSIAN:
        return {}
    moved = {name: x + 0.1 * torch.randn(x.shape, generator=rng, dtype=x.dtype, device=x.device)
             for name, x in params.items()}
    q = moments(guide, moved)
    if q is None:
        return {}
    known = {(site, how): x for site in q for how, x in readings(*q[site]).items()}
    found: Places = {}
    for name, x in moved.items():
        value = transform_to(guide.store["constraints"][name])(x)
        at = next((at for at, y in known.items() if y.shape == value.shape and torch.allclose(y, value, 1e-9)), None)
        if at is None:
            return {}
        found[name] = at
    other = {site: (mean + 1, 1.5 * spread) for site, (mean, spread) in q.items()}
    after = moments(guide, put(guide, found, other))
    return found if after is not None and all(torch.allclose(after[site][k], other[site][k], 1e-6)
                                              for site in other for k in (0, 1)) else {}


def put(guide: Guide, places: Places, q: Moments) -> dict[str, Tensor]:
    """The parameters, unconstrained, with which the guide has these moments."""
    known = {site: readings(*q[site]) for site in q}
    return {name: transform_to(guide.store["constraints"][name]).inv(known[site][how])
            for name, (site, how) in places.items()}


def moments(guide: Guide, params: Mapping[str, Tensor]) -> Moments | None:
    """Those of q at these parameters, where they say everything of it."""
    with guide.held(torch.Generator(device=guide.model.device), params):
        return guide_pyro.moments(guide.trace(), guide.trace(), guide.model)
