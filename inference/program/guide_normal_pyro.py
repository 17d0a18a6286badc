"""Mean field: q = prod_i N(u_i | m_i, s_i^2) without constraints, every number by itself; Pyro's AutoNormal."""

from __future__ import annotations

from pyro.infer.autoguide import AutoGuide, AutoNormal

from models.program import Program


def guide(model: Program) -> AutoGuide:
    """Parameters: 2 D numbers."""
    return AutoNormal(model)
