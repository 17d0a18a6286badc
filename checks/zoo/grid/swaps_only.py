"""Neighbouring labels are only exchanged, never changed.

Symptom: how many pixels have each label never changes.
"""

from checks.right.grid.pieces import integers, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y = latents["labels"]
    for _ in range(6):
        y = exchange(rng, y, model, data)
    return {"labels": y}


def exchange(rng, y, model, data):
    """Two pixels picked at random, exchanged with min(1, p(new) / p(old)): this leaves p(y) as it is."""
    H, W, _ = model.shape
    a, b = integers(rng, H * W, (2,)).tolist()
    new = y.clone()
    new[..., a // W, a % W], new[..., b // W, b % W] = y[..., b // W, b % W], y[..., a // W, a % W]
    gain = model.log_joint({"labels": new}, data) - model.log_joint({"labels": y}, data)
    return new.where((uniforms(rng, gain).log() < gain)[..., None, None], y)
