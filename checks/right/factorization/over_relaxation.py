"""Gibbs with over-relaxation (Adler 1981): a row jumps to the other side of its conditional mean.

    u' = mean - alpha (u - mean) + sqrt(1 - alpha^2) L'^-1 z
"""

import math

from checks.right.factorization.pieces import conditional, items, mean, noise, normal, users

BATCHED = True
ALPHA = 0.7
FRESH = math.sqrt(1 - ALPHA**2)


def transition(rng, latents, model, data):
    latents = dict(latents)
    for side in (users(data), items(data)):
        latents[side.site] = rows(rng, side, latents[side.other], latents[side.site], model, data)
    return latents


def rows(rng, side, other, own, model, data, fresh=FRESH):
    precision, shift = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)
    centre = mean(precision, shift)
    return centre - ALPHA * (own - centre) + fresh * normal(precision, 0 * shift, noise(rng, own))
