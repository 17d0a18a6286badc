"""All numbers together: q = N(u | m, L L') without constraints, L lower triangular; AutoMultivariateNormal."""

from __future__ import annotations

from pyro.infer.autoguide import AutoGuide, AutoMultivariateNormal

from models.program import Program


def guide(model: Program) -> AutoGuide:
    """Parameters: D (D + 3) / 2 numbers."""
    return AutoMultivariateNormal(model)
