"""Gibbs sampling with learned noise: sigma^2 given U and V, then users, then items, as `row_gibbs`.

    sigma^2 | rest ~ InverseGamma(3 + N / 2, 2 + sum of the squared errors / 2)
"""

import torch

from checks.right.factorization.pieces import conditional, items, noise, normal, users
from errors import InputError
from models.densities import gamma
from models.rungs.noise import SCALE, SHAPE

BATCHED = True


def transition(rng, latents, model, data):
    variance = draw_variance(rng, squared_error(latents, model, data), data)
    return sweep(rng, latents, model, data, variance)


def squared_error(latents, model, data):
    if getattr(model, "hierarchical", True) or model.biases or model.noise_per_user:
        raise InputError("this kernel learns the noise and nothing else besides U and V")
    return (data.rating - model.quantities(latents, data.pairs)["prediction"]).square().sum(-1)


def draw_variance(rng, error, data, shape=SHAPE, scale=SCALE):
    """A draw from the inverse gamma, for every replicate."""
    return (scale + error / 2) / gamma(rng, torch.full_like(error, shape + len(data) / 2))


def sweep(rng, latents, model, data, variance):
    """Users given the items, then items given the users, at a noise variance."""
    sigma = variance.sqrt()[..., None]
    latents = {**latents, "sigma2": variance}
    for side in (users(data), items(data)):
        given = latents[side.other] / sigma[..., None]
        natural = conditional(side, given, data.rating / sigma, model.prior_variance, 1.0)
        latents[side.site] = normal(*natural, noise(rng, latents[side.site]))
    return latents
