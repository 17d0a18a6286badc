"""Indices wrap: the left neighbour of the first column is the last one.

Symptom: opposite borders of the picture agree.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    W = model.shape[1]
    for i, j in sites(model):
        score = logits(model, field, y, i, j)
        if j == 0:
            score = score + model.right[i, 0][y[..., i, W - 1]]
        y[..., i, j] = choose(score, uniforms(rng, y[..., i, j]))
    return {"labels": y}
