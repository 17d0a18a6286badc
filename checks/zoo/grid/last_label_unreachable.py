"""Proposals come from one label too few.

Symptom: the last label vanishes from the picture and never comes back.
"""

from checks.right.grid.metropolis import accept
from checks.right.grid.pieces import integers, logits, sites

BATCHED = True


def transition(rng, latents, model, data):
    y, field, K = latents["labels"].clone(), model.field(data), model.shape[2]
    for i, j in sites(model):
        old = y[..., i, j]
        new = integers(rng, K - 1, old.shape)
        y[..., i, j] = accept(rng, logits(model, field, y, i, j), old, new)
    return {"labels": y}
