"""One point: the maximum of log p(latents, data) in the latents as they are named; Pyro's AutoDelta."""

from __future__ import annotations

from pyro.infer.autoguide import AutoDelta, AutoGuide

from inference.method import Family
from models.program import Program

FAMILY = Family.POINT


def guide(model: Program) -> AutoGuide:
    """Parameters: D numbers. In a hierarchy the maximum may lie where a scale is 0, far from the mean."""
    return AutoDelta(model)
