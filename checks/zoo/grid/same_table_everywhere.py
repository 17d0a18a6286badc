"""The first pair table is used for every edge.

Symptom: nothing is wrong with a homogeneous model; site-dependent ones are ignored.
"""

from dataclasses import replace

from checks.right.grid import raster_gibbs

BATCHED = True


def transition(rng, latents, model, data):
    right, down = (t[:1, :1].expand(t.shape) for t in (model.right, model.down))
    return raster_gibbs.transition(rng, latents, replace(model, right=right, down=down), data)
