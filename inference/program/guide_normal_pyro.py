"""Mean field: q = prod_i N(u_i | m_i, s_i^2) without constraints, every number by itself; Pyro's AutoNormal."""

from __future__ import annotations

from pyro.infer.autoguide import AutoGuide, AutoNormal, init_to_median

from inference.program.parts.guided import Start
from models.program import Program


def guide(model: Program, start: Start = init_to_median) -> AutoGuide:
    """Parameters: 2 D numbers."""
    return AutoNormal(model, init_loc_fn=start)
