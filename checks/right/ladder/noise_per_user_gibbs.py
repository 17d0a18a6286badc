"""Gibbs sampling with a noise for every user: precisions given the rows, the typical variance, then users and items.

    w_i | rest ~ Gamma(4 + n_i / 2, 4 sigma^2 + sum of the user's squared errors / 2)
    sigma^2 | w ~ Gamma(2 + 4 users, 2 + 4 sum_i w_i)
"""

import torch

from checks.right.factorization.pieces import add, conditional, items, noise, normal, users
from errors import InputError
from models.densities import gamma
from models.rungs.noise_per_user import ALIKE, RATE, SHAPE

BATCHED = True


def transition(rng, latents, model, data):
    w = draw_precisions(rng, latents, model, data)
    return sweep(rng, {**latents, "precision_user": w, "sigma2": draw_typical(rng, w)}, model, data)


def draw_precisions(rng, latents, model, data):
    """(..., users)"""
    if not getattr(model, "noise_per_user", False) or model.hierarchical or model.biases:
        raise InputError("this kernel learns a noise for every user and nothing else besides U and V")
    side = users(data)
    error = (data.rating - model.quantities(latents, data.pairs)["prediction"]).square()
    rate = ALIKE * latents["sigma2"][..., None] + add(side, error, 0) / 2
    return gamma(rng, (ALIKE + torch.bincount(side.row, minlength=side.rows) / 2).expand_as(rate)) / rate


def draw_typical(rng, w, shape=SHAPE, alike=ALIKE):
    """(...), of the precisions."""
    total = RATE + ALIKE * w.sum(-1)
    return gamma(rng, torch.full_like(total, shape + alike * w.shape[-1])) / total


def sweep(rng, latents, model, data, weighted=("U", "V")):
    """Users given the items, then items given the users; `weighted`: the sides that mind the precisions."""
    for side in (users(data), items(data)):
        w = latents["precision_user"]
        w = w if side.site in weighted else 1 / latents["sigma2"][..., None].expand_as(w)
        precision, shift = weighed(side, latents[side.other], data.rating, w.index_select(-1, data.user),
                                   model.prior_variance)
        latents = {**latents, side.site: normal(precision, shift, noise(rng, latents[side.site]))}
    return latents


def weighed(side, other, rating, w, prior_variance):
    """Precision and shift of every row where rating n has the precision w_n: `conditional`, of root w times both."""
    each = other.index_select(-2, side.column) * w.sqrt()[..., None]
    own = type(side)(side.site, side.other, side.row, torch.arange(len(side.row)), side.rows)
    return conditional(own, each, rating * w.sqrt(), prior_variance, 1.0)
