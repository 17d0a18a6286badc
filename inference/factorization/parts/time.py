"""Effects of days and periods given the rest, and their precisions; the equations are in `ladder_gibbs`."""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor

from inference.factorization.compiled.normals import normals
from inference.method import Latents
from models.densities import gamma
from models.ratings import Ratings
from models.rungs.time import RATE, SHAPE, Calendar


def effects(rng: torch.Generator, calendar: Calendar, latents: Latents, data: Ratings, error: Float64[Tensor, "N"],
            weight: Float64[Tensor, "N"]) -> Latents:
    """Those of the users' days, then those of the items' periods; each side's precision after them.

    error, weight    what the ratings are off what is expected of them, and their noise precisions, in standard units
    """
    found: Latents = {}
    for cells, places in zip(calendar.sides, calendar.places(data), strict=True):
        assert places is not None  # which the model's `check_data` has asked
        (site, of), place = cells.sites, places.cell
        error = error + latents[site].index_select(0, place)
        precision = latents[of] + torch.bincount(place, weight, len(cells))
        mean = torch.bincount(place, weight * error, len(cells)) / precision
        drawn = mean + normals(rng, len(cells), 1).to(mean)[:, 0] / precision.sqrt()
        error = error - drawn.index_select(0, place)
        shape = drawn.new_tensor(SHAPE + len(drawn) / 2)
        found |= {site: drawn, of: gamma(rng, shape) / (RATE + 0.5 * drawn.square().sum())}
    return found
