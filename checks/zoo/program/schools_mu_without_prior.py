"""mu is drawn about the mean of theta, as if its prior were flat.

Symptom: mu is too far from 0, and too spread out where tau is large.
"""

import torch

from checks.right.program.pieces import Target, walk
from checks.right.program.schools import data, model

__all__ = ["data", "model", "transition"]


def transition(latents, sigma, y):
    mu = latents["theta"].mean() + torch.randn(()) * latents["tau"] / len(y) ** 0.5
    return walk(Target(model, sigma, y), {**latents, "mu": mu}, sweeps=1)
