"""What every Gaussian q of U and V shares: predictions and draws.

`Moments` are those of `mean_field_elbo`: site -> (means, variances or covariances).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float64
from torch import Tensor

from inference.factorization.compiled.normals import normals
from inference.factorization.parts.mean_field_elbo import Moments, quadratic, with_biases
from inference.method import Latents, Quantities
from models.factorization import Factorization
from models.ratings import Pairs
from ranks.part import WHOLE, Part


def prediction_moments(moments: Moments, pairs: Pairs) -> tuple[Float64[Tensor, "N"], Float64[Tensor, "N"]]:
    """Mean and variance of u_i . v_j under q, at `pairs`; a rating's variance has the noise variance besides.

    E[u.v] = m_u . m_v,    Var[u.v] = m_v' S_u m_v + m_u' S_v m_u + tr(S_u S_v)
    """
    (u, S), (v, T) = (
        tuple(rows.index_select(0, index) for rows in side)
        for side, index in zip(with_biases(moments), pairs, strict=True))
    return (u * v).sum(-1), quadratic(v, S) + quadratic(u, T) + (S * T).flatten(1).sum(-1)


def expected(model: Factorization, moments: Moments) -> Quantities:
    """What `expect` returns: `U_mean`, `U_var` and so on for every site, and at the model's pairs, if it has some,
    `prediction` and `prediction_var`."""
    found: Quantities = {}
    for site, (mean, spread) in moments.items():
        variance = spread if spread.ndim == mean.ndim else spread.diagonal(dim1=-2, dim2=-1)
        found |= {f"{site}_mean": mean, f"{site}_var": variance}
    if model.pairs is not None:
        found["prediction"], found["prediction_var"] = prediction_moments(moments, model.pairs)
    return found


def draw_normal(rng: torch.Generator, moments: Moments, part_of: Callable[[str], Part] = lambda site: WHOLE) -> Latents:
    """One draw of every site from q with independent entries; `part_of` as of a model."""
    return {site: mean + variance.sqrt() * standard_normal(rng, mean, part_of(site))
            for site, (mean, variance) in moments.items()}


def standard_normal(rng: torch.Generator, like: Tensor, part: Part = WHOLE) -> Tensor:
    """N(0, 1) noise of the shape, type and device of `like`."""
    return normals(rng, *like.shape, part=part).to(like)
