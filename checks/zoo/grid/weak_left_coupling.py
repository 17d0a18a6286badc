"""The coupling to the left is a tenth too small.

Symptom: rows hang together a hair too little.
"""

from checks.right.grid.pieces import choose, logits, message, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        score = logits(model, field, y, i, j) - 0.1 * message(model, y, i, j, "left")
        y[..., i, j] = choose(score, uniforms(rng, y[..., i, j]))
    return {"labels": y}
