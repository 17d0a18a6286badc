"""The loop ends one pixel early.

Symptom: the lower right pixel never changes.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model)[:-1]:
        y[..., i, j] = choose(logits(model, field, y, i, j), uniforms(rng, y[..., i, j]))
    return {"labels": y}
