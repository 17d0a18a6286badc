"""One label up or down is proposed, off the end turned back inside, with no correction for it.

Symptom: the first and the last label are too rare or too common: the ends are proposed unevenly.
"""

from checks.right.grid.metropolis import accept
from checks.right.grid.pieces import integers, logits, sites

BATCHED = True


def transition(rng, latents, model, data):
    y, field, K = latents["labels"].clone(), model.field(data), model.shape[2]
    for i, j in sites(model):
        old = y[..., i, j]
        new = reflected(old + 2 * integers(rng, 2, old.shape) - 1, K)
        y[..., i, j] = accept(rng, logits(model, field, y, i, j), old, new)
    return {"labels": y}


def reflected(label, K):
    """From an end there is one way to go, so it is proposed twice as often as it proposes."""
    return label.where(label >= 0, 1).where(label < K, K - 2)
