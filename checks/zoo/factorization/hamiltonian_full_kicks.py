"""Leapfrog without the half steps at both ends: the integrator is not reversible.

Symptom: a little off everywhere, the more so the larger the step.
"""

from checks.right.factorization.hamiltonian import LEAPS, STEP, push
from checks.right.factorization.pieces import accept, noise, square

BATCHED = True


def transition(rng, latents, model, data):
    p = {site: noise(rng, x) for site, x in latents.items()}
    x, q = latents, p
    for _ in range(LEAPS):
        q = push(q, x, model, data, STEP)
        x = {site: x[site] + STEP * q[site] for site in x}
    ratio = model.log_joint(x, data) - model.log_joint(latents, data) + (square(p) - square(q)) / 2
    return accept(rng, ratio, x, latents)
