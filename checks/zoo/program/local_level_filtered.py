"""The level is drawn given the past alone: a filter for a smoother.

Symptom: The level knows nothing of the data to come.
"""

import torch

from checks.right.program.local_level import data, model
from checks.right.program.pieces import Target, walk

__all__ = ["data", "model", "transition"]


def transition(latents, y):
    last = torch.zeros(())
    for t in range(len(y)):
        precision = 1 / (0.1 + latents["q"]) ** 2 + 1 / (0.1 + latents["r"]) ** 2
        mean = (last / (0.1 + latents["q"]) ** 2 + y[t] / (0.1 + latents["r"]) ** 2) / precision
        last = mean + torch.randn(()) / precision.sqrt()
        latents = {**latents, f"x{t}": last}
    return walk(Target(model, y), latents, sweeps=1)
