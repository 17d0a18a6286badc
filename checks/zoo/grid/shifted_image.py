"""The image is read one column to the right.

Symptom: the picture comes out displaced by a pixel.
"""

from checks.right.grid import raster_gibbs

BATCHED = True


def transition(rng, latents, model, data):
    return raster_gibbs.transition(rng, latents, model, data.roll(1, dims=-2))
