"""Only improvements are accepted.

Symptom: chains end in a local mode and stay.
"""

from checks.right.grid.metropolis import accept
from checks.right.grid.pieces import integers, logits, sites

BATCHED = True


def transition(rng, latents, model, data):
    y, field, K = latents["labels"].clone(), model.field(data), model.shape[2]
    for i, j in sites(model):
        old = y[..., i, j]
        new = (old + 1 + integers(rng, K - 1, old.shape)) % K
        y[..., i, j] = accept(rng, 1e9 * logits(model, field, y, i, j), old, new)
    return {"labels": y}
