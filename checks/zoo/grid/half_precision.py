"""Probabilities are kept in bfloat16: three significant digits.

Symptom: probabilities are off by up to half a percent.
"""

import torch

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        p = torch.softmax(logits(model, field, y, i, j), -1).to(torch.bfloat16)
        y[..., i, j] = choose(p.double().log(), uniforms(rng, y[..., i, j]))
    return {"labels": y}
