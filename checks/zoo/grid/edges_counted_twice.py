"""Every edge is counted from both of its ends.

Symptom: regions are too smooth, as if the coupling were doubled.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        y[..., i, j] = choose(2 * logits(model, field, y, i, j) - field[..., i, j, :], uniforms(rng, y[..., i, j]))
    return {"labels": y}
