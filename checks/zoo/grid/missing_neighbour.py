"""The neighbour above is left out of the conditional.

Symptom: vertical edges of the picture agree too little; rows hang together, columns do not.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        y[..., i, j] = choose(logits(model, field, y, i, j, ("left", "right", "below")), uniforms(rng, y[..., i, j]))
    return {"labels": y}
