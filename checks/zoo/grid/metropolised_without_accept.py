"""Metropolised Gibbs that always takes its proposal, a label other than the present one.

Symptom: every pixel changes at every sweep; unlikely labels are visited too often.
"""

import torch

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        score, old = logits(model, field, y, i, j), y[..., i, j]
        new = choose(score.scatter(-1, old[..., None], -torch.inf), uniforms(rng, old))
        y[..., i, j] = new
    return {"labels": y}
