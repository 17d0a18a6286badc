"""The pair table is read as [neighbour, pixel] on every side.

Symptom: nothing is wrong with a symmetric coupling; with any other the order of labels is reversed.
"""

from dataclasses import replace

from checks.right.grid import raster_gibbs

BATCHED = True


def transition(rng, latents, model, data):
    return raster_gibbs.transition(rng, latents, replace(model, right=model.right.mT, down=model.down.mT), data)
