"""Hamiltonian Monte Carlo accepted on the log joint alone, without the kinetic energy.

Symptom: moves uphill are always taken: posteriors are too narrow.
"""

from checks.right.factorization.hamiltonian import leapfrog
from checks.right.factorization.pieces import accept, noise

BATCHED = True


def transition(rng, latents, model, data):
    p = {site: noise(rng, x) for site, x in latents.items()}
    new, _ = leapfrog(latents, p, model, data)
    return accept(rng, model.log_joint(new, data) - model.log_joint(latents, data), new, latents)
