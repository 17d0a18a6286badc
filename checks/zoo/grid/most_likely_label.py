"""The most likely label is taken instead of a draw (iterated conditional modes).

Symptom: chains stop moving after a few sweeps; marginals are 0 or 1.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        y[..., i, j] = choose(1e9 * logits(model, field, y, i, j), uniforms(rng, y[..., i, j]))
    return {"labels": y}
