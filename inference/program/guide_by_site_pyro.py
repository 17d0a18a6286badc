"""Sites apart, the numbers of a site together: q = prod_site N(u_site | m, L L'); Pyro's AutoGuideList."""

from __future__ import annotations

from pyro import poutine
from pyro.infer.autoguide import AutoGuide, AutoGuideList, AutoMultivariateNormal

from models.program import Program


def guide(model: Program) -> AutoGuide:
    """Between mean field and `guide_multivariate_normal_pyro`."""
    parts = AutoGuideList(model)
    for name in model.sites:
        parts.append(AutoMultivariateNormal(poutine.block(model, expose=[name])))
    return parts
