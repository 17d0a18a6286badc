"""The second colour of the checkerboard is drawn from the labels before the first was.

Symptom: neighbours agree too little, as in a synchronous update.
"""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    old, field = latents["labels"], model.field(data)
    y = old.clone()
    for now in (0, 1):
        for i, j in sites(model):
            if (i + j) % 2 == now:
                y[..., i, j] = choose(logits(model, field, old, i, j), uniforms(rng, y[..., i, j]))
    return {"labels": y}
