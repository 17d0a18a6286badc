"""A flow: u = f(z), z ~ N(0, I), f autoregressive with a neural network (Kingma et al. 2016); Pyro's AutoIAFNormal."""

from __future__ import annotations

from pyro.infer.autoguide import AutoGuide, AutoIAFNormal

from models.program import Program

LR = 0.01


def guide(model: Program) -> AutoGuide:
    """For two numbers or more; the posterior may be bent, which no normal is."""
    return AutoIAFNormal(model, num_transforms=2)
