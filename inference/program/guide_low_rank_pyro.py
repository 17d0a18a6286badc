"""All together with few numbers: q = N(u | m, S (I + F F') S), F of sqrt(D) columns; AutoLowRankMultivariateNormal."""

from __future__ import annotations

from pyro.infer.autoguide import AutoGuide, AutoLowRankMultivariateNormal, init_to_median

from inference.program.parts.guided import Start
from models.program import Program


def guide(model: Program, start: Start = init_to_median) -> AutoGuide:
    """Parameters: D (2 + sqrt D) numbers."""
    return AutoLowRankMultivariateNormal(model, init_loc_fn=start)
