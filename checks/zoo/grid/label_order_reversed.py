"""Labels are read from the other end of the probability table.

Symptom: the picture comes out as its negative.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        y[..., i, j] = choose(logits(model, field, y, i, j).flip(-1), uniforms(rng, y[..., i, j]))
    return {"labels": y}
