"""Where there is one table, it is read as [neighbour, pixel] on every side.

Symptom: nothing is wrong with a symmetric table, nor with tables by site.
"""

from checks.right.grid import raster_gibbs
from checks.zoo.grid import transposed_table

BATCHED = True


def transition(rng, latents, model, data):
    kernel = raster_gibbs if model.pair is None else transposed_table
    return kernel.transition(rng, latents, model, data)
