"""The Metropolis-adjusted Langevin algorithm (Roberts and Tweedie 1996).

    new = x + step^2 / 2 grad log p(x) + step z,      accept with min(1, p(new) q(x | new) / (p(x) q(new | x)))
"""

from checks.right.factorization.pieces import accept, gradient, noise, square

BATCHED = True
STEP = 0.2


def transition(rng, latents, model, data):
    for _ in range(3):
        new = {site: x + STEP * noise(rng, x) for site, x in drift(latents, model, data).items()}
        ratio = model.log_joint(new, data) - model.log_joint(latents, data)
        ratio = ratio + log_proposal(latents, new, model, data) - log_proposal(new, latents, model, data)
        latents = accept(rng, ratio, new, latents)
    return latents


def drift(latents, model, data):
    """Where a proposal is centred."""
    slope = gradient(model, latents, data)
    return {site: x + STEP**2 / 2 * slope[site] for site, x in latents.items()}


def log_proposal(new, old, model, data):
    """log q(new | old), up to a constant."""
    centre = drift(old, model, data)
    return -square({site: new[site] - centre[site] for site in new}) / (2 * STEP**2)
