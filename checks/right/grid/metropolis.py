"""Metropolis: propose any other label for each pixel in turn, accept with min(1, p(new) / p(old))."""

from checks.right.grid.pieces import integers, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field, K = latents["labels"].clone(), model.field(data), model.shape[2]
    for i, j in sites(model):
        old = y[..., i, j]
        new = (old + 1 + integers(rng, K - 1, old.shape)) % K
        y[..., i, j] = accept(rng, logits(model, field, y, i, j), old, new)
    return {"labels": y}


def accept(rng, score, old, new, log_correction=0.0):
    """`new` with probability min(1, exp(score[new] - score[old] + log_correction)), else `old`."""
    gain = (score.gather(-1, new[..., None]) - score.gather(-1, old[..., None]))[..., 0] + log_correction
    return new.where(uniforms(rng, old).log() < gain, old)
