"""The label drawn is one too small: off by one in the cumulative sums.

Symptom: every label is its neighbour's; the first and the last have changed places.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        y[..., i, j] = (choose(logits(model, field, y, i, j), uniforms(rng, y[..., i, j])) - 1) % model.shape[2]
    return {"labels": y}
