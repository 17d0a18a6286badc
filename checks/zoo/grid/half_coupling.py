"""The coupling is halved, as if each edge were shared out between its ends.

Symptom: regions are too rough, as if the coupling were halved.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        y[..., i, j] = choose((logits(model, field, y, i, j) + field[..., i, j, :]) / 2, uniforms(rng, y[..., i, j]))
    return {"labels": y}
