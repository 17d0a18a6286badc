"""The pixel above to the left counts as a neighbour too.

Symptom: diagonal edges of the picture are too smooth.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        score = logits(model, field, y, i, j)
        if i and j:
            score = score + model.down[i - 1, j][y[..., i - 1, j - 1]]
        y[..., i, j] = choose(score, uniforms(rng, y[..., i, j]))
    return {"labels": y}
