"""The image is counted twice: once in the unary potentials, once as data.

Symptom: too little is smoothed away; noise stays.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        y[..., i, j] = choose(logits(model, 2 * field, y, i, j), uniforms(rng, y[..., i, j]))
    return {"labels": y}
