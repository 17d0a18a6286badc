"""The loop over edges ends one early: the lower right pixel does not see its left neighbour.

Symptom: one edge of the picture agrees too little.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        last = (i, j) == sites(model)[-1]
        around = ("right", "above", "below") if last else ("left", "right", "above", "below")
        y[..., i, j] = choose(logits(model, field, y, i, j, around), uniforms(rng, y[..., i, j]))
    return {"labels": y}
