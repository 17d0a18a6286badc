"""All pixels at once from the old labels, neighbours included.

Symptom: neighbours agree too little, and the picture flickers between two chequered states.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    old, field = latents["labels"], model.field(data)
    y = old.clone()
    for i, j in sites(model):
        y[..., i, j] = choose(logits(model, field, old, i, j), uniforms(rng, y[..., i, j]))
    return {"labels": y}
