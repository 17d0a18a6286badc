"""Sites apart, the numbers of a site together: q = prod_site N(u_site | m, L L'); Pyro's AutoGuideList."""

from __future__ import annotations

from pyro import poutine
from pyro.infer.autoguide import AutoGuide, AutoGuideList, AutoMultivariateNormal, init_to_median

from inference.program.parts.guided import Start
from models.program import Program


def guide(model: Program, start: Start = init_to_median) -> AutoGuide:
    """Between mean field and `guide_multivariate_normal_pyro`."""
    parts = AutoGuideList(model)
    for name in model.sites:
        parts.append(AutoMultivariateNormal(poutine.block(model, expose=[name]), init_loc_fn=start))
    return parts
