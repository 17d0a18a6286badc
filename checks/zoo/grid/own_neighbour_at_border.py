"""The border is padded with its own labels: a border pixel counts itself as neighbour.

Symptom: labels on the border hardly move and agree too much with themselves.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        score = logits(model, field, y, i, j)
        if i == 0:
            score = score + model.down[0, j][y[..., i, j]]
        y[..., i, j] = choose(score, uniforms(rng, y[..., i, j]))
    return {"labels": y}
