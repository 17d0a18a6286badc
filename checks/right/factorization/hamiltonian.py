"""Hamiltonian Monte Carlo: a few leapfrog steps with fresh momentum, accepted on the change of energy."""

from checks.right.factorization.pieces import accept, gradient, noise, square

BATCHED = True
STEP, LEAPS = 0.15, 4


def transition(rng, latents, model, data):
    p = {site: noise(rng, x) for site, x in latents.items()}
    new, q = leapfrog(latents, p, model, data)
    ratio = model.log_joint(new, data) - model.log_joint(latents, data) + (square(p) - square(q)) / 2
    return accept(rng, ratio, new, latents)


def leapfrog(x, p, model, data):
    """Half a step of momentum, whole steps of position and momentum in turn, half a step at the end."""
    p = push(p, x, model, data, STEP / 2)
    for leap in range(LEAPS):
        x = {site: x[site] + STEP * p[site] for site in x}
        p = push(p, x, model, data, STEP if leap < LEAPS - 1 else STEP / 2)
    return x, p


def push(p, x, model, data, step):
    slope = gradient(model, x, data)
    return {site: p[site] + step * slope[site] for site in p}
