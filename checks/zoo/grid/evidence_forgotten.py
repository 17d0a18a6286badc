"""The image is left out: the prior is sampled.

Symptom: denoised pictures have nothing to do with the picture.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        y[..., i, j] = choose(logits(model, 0 * field, y, i, j), uniforms(rng, y[..., i, j]))
    return {"labels": y}
