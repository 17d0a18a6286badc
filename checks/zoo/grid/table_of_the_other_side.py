"""A pixel's edge to the left has the table of its edge to the right, where it has one.

Symptom: nothing is wrong with a homogeneous model, nor in the columns at the border.
"""

from checks.right.grid.pieces import choose, logits, message, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        score = logits(model, field, y, i, j)
        if 0 < j < model.shape[1] - 1:
            score = score - message(model, y, i, j, "left") + model.right[i, j][y[..., i, j - 1]]
        y[..., i, j] = choose(score, uniforms(rng, y[..., i, j]))
    return {"labels": y}
