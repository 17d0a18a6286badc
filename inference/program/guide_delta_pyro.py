"""One point: the maximum of log p(latents, data) in the latents as they are named; Pyro's AutoDelta."""

from __future__ import annotations

from pyro.infer.autoguide import AutoDelta, AutoGuide, init_to_median

from inference.method import Family
from inference.program.parts.guided import Start
from models.program import Program

FAMILY = Family.POINT


def guide(model: Program, start: Start = init_to_median) -> AutoGuide:
    """Parameters: D numbers. In a hierarchy the maximum may lie where a scale is 0, far from the mean."""
    return AutoDelta(model, init_loc_fn=start)
