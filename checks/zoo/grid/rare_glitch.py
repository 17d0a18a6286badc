"""One update in a hundred draws any label: a race between threads, say.

Symptom: a little salt and pepper on the picture.
"""

from checks.right.grid.pieces import choose, integers, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        drawn = choose(logits(model, field, y, i, j), uniforms(rng, y[..., i, j]))
        glitch = uniforms(rng, drawn) < 0.01
        y[..., i, j] = integers(rng, model.shape[2], drawn.shape).where(glitch, drawn)
    return {"labels": y}
