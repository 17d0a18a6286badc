"""Gibbs sampling with effects of time: days, their precision, periods, theirs, then as `noise_gibbs` of what is left.

    e_c | rest ~ N(sum_n x_n / sigma^2 / P, 1 / P),    P = t + ratings of cell c / sigma^2,  x_n without e_c
    t | rest   ~ Gamma(2 + cells / 2, 0.2 + sum e^2 / 2)
"""

from dataclasses import replace

import torch

from checks.right.factorization.pieces import noise
from checks.right.ladder.noise_gibbs import draw_variance, sweep
from errors import InputError
from models.densities import gamma
from models.rungs.time import RATE, SHAPE

BATCHED = True


def transition(rng, latents, model, data):
    latents = check(latents, model)
    for cells, place in sides(model, data):
        latents |= effects(rng, latents, model, data, cells, place)
        latents |= precision(rng, latents, cells)
    return rest(rng, latents, model, data)


def check(latents, model):
    if not hasattr(model, "of_time") or model.hierarchical or model.biases or model.noise_per_user or model.unit != 1:
        raise InputError("this kernel is of time and learned noise, and of nothing else besides U and V")
    return dict(latents)


def sides(model, data):
    """The cells of users and of items, each with the places of the ratings among them."""
    calendar = model.of_time.calendar
    return [(cells, place.cell) for cells, place in zip(calendar.sides, calendar.places(data), strict=True)]


def effects(rng, latents, model, data, cells, place):
    """(..., cells)"""
    site, of = cells.sites
    old, w = latents[site], 1 / latents["sigma2"][..., None]
    x = data.rating - model.expected(latents, data) + old[..., place]
    P = latents[of][..., None] + w * torch.bincount(place, minlength=len(cells))
    mean = w * torch.zeros_like(old).index_add(-1, place, x) / P
    return {site: mean + noise(rng, old) / P.sqrt()}


def precision(rng, latents, cells, half=0.5):
    site, of = cells.sites
    rate = RATE + half * latents[site].square().sum(-1)
    return {of: gamma(rng, torch.full_like(rate, SHAPE + len(cells) / 2)) / rate}


def rest(rng, latents, model, data, less=1.0):
    """The noise variance, then users and items, by ratings that effects have come off: all of them, or a share."""
    error = (data.rating - model.expected(latents, data)).square().sum(-1)
    own = replace(data, rating=data.rating - less * model.effects(latents, data))
    return sweep(rng, latents, model, own, draw_variance(rng, error, data))
