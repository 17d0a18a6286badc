"""Labels move up or down by 2 only.

Symptom: a pixel keeps to even labels, or to odd ones, for ever.
"""

from checks.right.grid.metropolis import accept
from checks.right.grid.pieces import integers, logits, sites

BATCHED = True


def transition(rng, latents, model, data):
    y, field, K = latents["labels"].clone(), model.field(data), model.shape[2]
    for i, j in sites(model):
        old = y[..., i, j]
        new = old + 4 * integers(rng, 2, old.shape) - 2
        new = new.where((new >= 0) & (new < K), old)
        y[..., i, j] = accept(rng, logits(model, field, y, i, j), old, new)
    return {"labels": y}
