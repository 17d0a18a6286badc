"""Only the image enters: what pixels prefer besides is forgotten.

Symptom: fine where all that is known of a pixel is its colour; potentials of its own are ignored.
"""

from dataclasses import replace

from checks.right.grid import raster_gibbs

BATCHED = True


def transition(rng, latents, model, data):
    return raster_gibbs.transition(rng, latents, replace(model, unary=0 * model.unary), data)
