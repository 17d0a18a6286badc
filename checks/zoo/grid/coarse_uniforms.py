"""Uniform numbers have 4 bits: sixteen values.

Symptom: probabilities below 1/16 are rounded away or up.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        u = (uniforms(rng, y[..., i, j]) * 16).floor() / 16 + 1 / 32
        y[..., i, j] = choose(logits(model, field, y, i, j), u)
    return {"labels": y}
