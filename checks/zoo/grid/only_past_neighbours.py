"""Only the neighbours already visited, left and above, are looked at.

Symptom: labels smear towards the lower right, and edges agree too little everywhere.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        y[..., i, j] = choose(logits(model, field, y, i, j, ("left", "above")), uniforms(rng, y[..., i, j]))
    return {"labels": y}
