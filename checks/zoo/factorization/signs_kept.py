"""Entries move by a random factor, rightly accepted, and so never change their sign.

Symptom: every chain keeps the signs it started with.
"""

import torch

from checks.right.factorization.pieces import accept, noise

BATCHED = True


def transition(rng, latents, model, data):
    for _ in range(4):
        step = {site: 0.2 * noise(rng, x) for site, x in latents.items()}
        new = {site: x * step[site].exp() for site, x in latents.items()}
        volume = sum((s.sum((-2, -1)) for s in step.values()), torch.zeros(()))
        latents = accept(rng, model.log_joint(new, data) - model.log_joint(latents, data) + volume, new, latents)
    return latents
