"""Hamiltonian steps without the accept step.

Symptom: posteriors are a little too wide, the more so the larger the step.
"""

from checks.right.factorization.hamiltonian import leapfrog
from checks.right.factorization.pieces import noise

BATCHED = True


def transition(rng, latents, model, data):
    p = {site: noise(rng, x) for site, x in latents.items()}
    return leapfrog(latents, p, model, data)[0]
