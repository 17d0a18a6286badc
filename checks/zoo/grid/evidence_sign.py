"""The evidence enters with the wrong sign.

Symptom: pixels avoid the label they were observed with.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        y[..., i, j] = choose(logits(model, -field, y, i, j), uniforms(rng, y[..., i, j]))
    return {"labels": y}
