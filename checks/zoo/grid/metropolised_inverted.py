"""Metropolised Gibbs with the acceptance ratio upside down.

Symptom: likely labels are left too readily.
"""

import torch

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        score, old = logits(model, field, y, i, j), y[..., i, j]
        new = choose(score.scatter(-1, old[..., None], -torch.inf), uniforms(rng, old))
        p = torch.softmax(score, -1)
        keep = 1 - p.gather(-1, torch.stack([old, new], -1))
        y[..., i, j] = new.where(uniforms(rng, old) < keep[..., 1] / keep[..., 0], old)
    return {"labels": y}
