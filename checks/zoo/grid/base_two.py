"""Weights are taken as powers of 2 instead of e.

Symptom: everything is a little too random, as at a higher temperature.
"""

import math

from checks.right.grid.pieces import choose, logits, sites, uniforms

BATCHED = True


def transition(rng, latents, model, data):
    y, field = latents["labels"].clone(), model.field(data)
    for i, j in sites(model):
        y[..., i, j] = choose(logits(model, field, y, i, j) * math.log(2), uniforms(rng, y[..., i, j]))
    return {"labels": y}
