"""All numbers together: q = N(u | m, L L') without constraints, L lower triangular; AutoMultivariateNormal."""

from __future__ import annotations

from pyro.infer.autoguide import AutoGuide, AutoMultivariateNormal, init_to_median

from inference.program.parts.guided import Start
from models.program import Program


def guide(model: Program, start: Start = init_to_median) -> AutoGuide:
    """Parameters: D (D + 3) / 2 numbers."""
    return AutoMultivariateNormal(model, init_loc_fn=start)
