"""Gibbs sampling of all black pixels at once, then of all white ones: pixels of one colour do not touch."""

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def colour(i, j):
    return (i + j) % 2


def transition(rng, latents, model, data, colour=colour):
    y, field = latents["labels"].clone(), model.field(data)
    for now in (0, 1):
        old = y.clone()
        for i, j in sites(model):
            if colour(i, j) == now:
                y[..., i, j] = choose(logits(model, field, old, i, j), uniforms(rng, y[..., i, j]))
    return {"labels": y}
