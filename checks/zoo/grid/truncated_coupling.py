"""The coupling at label distance 1 is dropped: only equal labels count.

Symptom: with three labels, neighbours one label apart are as rare, or as common, as any others.
"""

from dataclasses import replace

import torch

from checks.right.grid import raster_gibbs

BATCHED = True


def transition(rng, latents, model, data):
    eye = torch.eye(model.shape[2], dtype=torch.float64)
    return raster_gibbs.transition(rng, latents, replace(model, right=model.right * eye, down=model.down * eye), data)
