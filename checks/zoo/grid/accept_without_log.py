"""The uniform number is compared with the log ratio instead of its exponential.

Symptom: too few moves, and nearly none that lose probability.
"""

from checks.right.grid.pieces import integers, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field, K = latents["labels"].clone(), model.field(data), model.shape[2]
    for i, j in sites(model):
        old = y[..., i, j]
        new = (old + 1 + integers(rng, K - 1, old.shape)) % K
        score = logits(model, field, y, i, j)
        gain = (score.gather(-1, new[..., None]) - score.gather(-1, old[..., None]))[..., 0]
        y[..., i, j] = new.where(uniforms(rng, old) < gain, old)
    return {"labels": y}
