"""Gibbs sampling of ordered levels with priors that are given: thresholds, latent ratings, users, items.

    x | U, V, r    Metropolis on (first threshold, log gaps) together, the latent ratings integrated out
    y_n | rest     N(eta_n, 1) between the thresholds of its level
    u_i | V, y     as `row_gibbs` with y in the place of the ratings and noise variance 1
"""

import torch
from torch.special import ndtr, ndtri

from checks.right.factorization.pieces import conditional, items, noise, normal, users
from errors import InputError
from models.ordinal import FIRST_SD, log_probability

BATCHED = True
STEP = 0.5


def transition(rng, latents, model, data):
    latents = check(latents, model)
    code, eta = model.codes(data), model.latent_mean(latents, data)
    latents["cutpoints"] = thresholds(rng, latents["cutpoints"], eta, code, model)
    return rows(rng, latents, model, data, latent(rng, latents["cutpoints"], eta, code))


def check(latents, model):
    if not hasattr(model, "levels") or hasattr(model, "of_time") or model.hierarchical or model.biases:
        raise InputError("this kernel is of levels, with priors that are given and without biases and days")
    return dict(latents)


def thresholds(rng, cut, eta, code, model, jacobian=True):
    """A walk in x, under which x_1 and the log gaps are normal; `jacobian` is that of the thresholds as they stand."""
    x = torch.cat([cut[:, :1], cut.diff(dim=-1).log()], -1)
    new = x + STEP * noise(rng, x)
    ends = [torch.cat([z[:, :1], z[:, :1] + z[:, 1:].exp().cumsum(-1)], -1) for z in (x, new)]
    mean, sd = torch.zeros_like(x[0]), torch.ones_like(x[0])
    mean[0], sd[0] = model.first_mean, FIRST_SD
    log = [(-0.5 * ((z - mean) / sd) ** 2).sum(-1) + log_probability(eta, t, code).sum(-1)
           - (0 if jacobian else z[:, 1:].sum(-1)) for z, t in zip((x, new), ends, strict=True)]
    yes = torch.rand(len(x), generator=rng, dtype=torch.float64).log() < log[1] - log[0]
    return torch.where(yes[:, None], ends[1], cut)


def latent(rng, cut, eta, code, above=True):
    """The latent ratings, by the inverse of Phi in the lower tail of each; `above`: kept above the lower threshold."""
    far = torch.full_like(cut[:, :1], torch.inf)
    edges = torch.cat([-far, cut, far], -1)
    low, high = (edges.gather(-1, k) - eta for k in (code, code + 1))
    if not above:
        low = torch.full_like(low, -torch.inf)
    flip = low > 0
    a, b = ndtr(torch.where(flip, -high, low)), ndtr(torch.where(flip, -low, high))
    u = torch.rand(eta.shape, generator=rng, dtype=torch.float64)
    z = ndtri((a + u * (b - a)).clamp(1e-300, 1 - 1e-16))
    return eta + torch.where(flip, -z, z)


def rows(rng, latents, model, data, y):
    for side in (users(data), items(data)):
        natural = conditional(side, latents[side.other], y, model.prior_variance, 1.0)
        latents[side.site] = normal(*natural, noise(rng, latents[side.site]))
    return latents
