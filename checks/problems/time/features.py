"""What is measured of effects of time, beside what is measured on the ladder.

    P_c^1/2 (e_c - mean_c) ~ N(0, 1)                  P_c = t + sum_n w_n, mean_c = sum_n w_n x_n / P_c, n in cell c
    Phi^-1(P(t <= its value | rest)) ~ N(0, 1)        t | rest ~ Gamma(2 + cells / 2, 0.2 + sum e^2 / 2)

x_n is what a rating is off all that is expected of it but e_c, w_n the precision of its noise, in standard units.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.special import gammainc, ndtri

from checks.problems.factorization.features import chi_square
from checks.problems.factorization.replicates import Replicates
from checks.problems.ladder import features as ladder
from checks.problems.problem import Features
from inference.method import Latents
from models.rungs.time import RATE, SHAPE, Cells
from models.timed import Timed


def free(model: Timed, latents: Latents, data: Replicates) -> Features:
    """Data-dependent functions: those of the ladder, and of the effects."""
    found = ladder.free(model, latents, data)
    for cells, place in both(model, data):
        found |= of_effects(cells, latents)
        effect, name = latents[cells.sites[0]], cells.sites[0]
        found["effects times ratings", name] = (effect[:, place] * (data.rating - model.centre)).sum(-1) / model.unit
    return found


def of_effects(cells: Cells, latents: Latents) -> Features:
    """Of the effects of a side and their precision alone."""
    (name, of), (effect, precision) = cells.sites, (latents[site] for site in cells.sites)
    return {("squared norm", name): effect.square().sum(-1), ("sum of entries", name): effect.sum(-1),
            ("squared norm times precision", name): effect.square().sum(-1) * precision, ("precision", of): precision}


def normal(model: Timed, latents: Latents, data: Replicates) -> Features:
    """What is N(0, 1) by algebra."""
    found = ladder.normal(model, latents, data)
    error = ladder.errors(model, latents, data)
    variance = torch.as_tensor(model.noise_of(latents, data), dtype=torch.float64)  # type: ignore[arg-type]
    weight = (model.unit**2 / variance).expand_as(error)
    for cells, place in both(model, data):
        found |= of_side(cells, place, latents, error, weight)
    return found


def both(model: Timed, data: Replicates) -> list[tuple[Cells, Tensor]]:
    """The cells of each side, and which of them every rating is in."""
    calendar = model.of_time.calendar
    found = calendar.places(data)  # type: ignore[arg-type]  # as Ratings
    return [(cells, place.cell) for cells, place in zip(calendar.sides, found, strict=True) if place]


def of_side(cells: Cells, place: Tensor, latents: Latents, error: Tensor, weight: Tensor) -> Features:
    """Of the users' days, or of the items' periods."""
    (site, _), effect, t = cells.sites, latents[cells.sites[0]], latents[cells.sites[1]]
    precision = t[:, None] + torch.zeros_like(effect).index_add(-1, place, weight)
    shift = torch.zeros_like(effect).index_add(-1, place, weight * (error + effect[:, place]))
    z = precision.sqrt() * (effect - shift / precision)
    found: Features = {("squared residual", site): chi_square(z)} | of_precision(cells, latents)
    return found | {("residual", f"{site}[{c}]"): z[:, c] for c in range(len(cells))}


def of_precision(cells: Cells, latents: Latents) -> Features:
    """Given the effects alone."""
    effect, t = (latents[site] for site in cells.sites)
    rate = RATE + 0.5 * effect.square().sum(-1)
    p = gammainc(torch.full_like(rate, SHAPE + len(cells) / 2), rate * t)
    return {("quantile of the precision given the rest", cells.sites[1]): ndtri(p.clamp(1e-12, 1 - 1e-12))}
