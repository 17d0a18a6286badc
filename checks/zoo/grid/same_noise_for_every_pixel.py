"""One uniform number serves all pixels of a sweep.

Symptom: pixels of one sweep agree far too much: all low labels, or all high ones.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    u = uniforms(rng, y[..., 0, 0])
    for i, j in sites(model):
        y[..., i, j] = choose(logits(model, field, y, i, j), u)
    return {"labels": y}
