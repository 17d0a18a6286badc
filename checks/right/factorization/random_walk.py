"""Random walk Metropolis: all of U and V moved at once by N(0, step^2) noise."""

from checks.right.factorization.pieces import accept, noise

BATCHED = True
STEP = 0.15


def transition(rng, latents, model, data):
    for _ in range(4):
        new = {site: x + STEP * noise(rng, x) for site, x in latents.items()}
        latents = accept(rng, model.log_joint(new, data) - model.log_joint(latents, data), new, latents)
    return latents
