"""Gibbs sampling of as many pixels as there are, each picked at random (the same one in every replicate)."""

from checks.right.grid.pieces import choose, integers, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field, places = latents["labels"].clone(), model.field(data), sites(model)
    for k in integers(rng, len(places), (len(places),)).tolist():
        i, j = places[k]
        y[..., i, j] = choose(logits(model, field, y, i, j), uniforms(rng, y[..., i, j]))
    return {"labels": y}
