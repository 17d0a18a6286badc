"""Which methods suit a program where none is asked for, and what is said of the choice."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from inference.method import Method
from inference.program import enumeration, quadrature
from inference.program.parts import states
from models import summed, supports
from models.model import Latents
from models.program import Program
from models.summed import Summed

SAMPLER, INSTEAD = "nuts_pyro", "composite_gibbs_pyro"
GUIDES = ("guide_normal_pyro", "guide_multivariate_normal_pyro")
SUM_OUT = ("nuts_pyro", "hmc_pyro", "random_walk_pyro", "laplace", "importance_sampling")
MANY = 50  # sites, above which it is not looked for on which a support depends


def methods(program: Program) -> list[str]:
    """An exact answer where that is cheap, chains, and where NUTS can be had two guides and Laplace's approximation."""
    return [*_exact(program), *([INSTEAD] if why_not(program) else [SAMPLER, "laplace", *GUIDES])]


def why_not(program: Program) -> str | None:
    """Why no NUTS, in a clause."""
    known = program.known
    moving = next((name for name, site in known.continuous.items() if site.moves), None)
    if moving:
        on = bounds(program, moving)
        return (f"the support of the site {moving} changes with {', '.join(on) or 'other sites'}, and NUTS would keep "
                f"the first one (give it a fixed one, as hi * u with u ~ Uniform(0, 1) has, and NUTS can be had)")
    if not known.continuous:
        return "every site is discrete, and NUTS moves continuous ones"
    found = summed.of(program) if known.discrete else program
    return f"the discrete sites cannot be summed out: {found}" if isinstance(found, str) else None


def said(program: Program, chosen: Sequence[Method], asked: bool) -> list[str]:
    """Why chains are others than NUTS's, and of which methods the discrete sites are summed out."""
    names = [method.name for method in chosen]
    if not asked and INSTEAD in names:
        return [f"{INSTEAD} in place of {SAMPLER}: {why_not(program)}."]
    if not (program.known.discrete and isinstance(summed.of(program), Summed)):
        return []
    mine = [m.name for m in chosen if (m.by == "pyro" and m.guide) or m.name.partition("_warmup")[0] in SUM_OUT
            or (m.name == "quadrature" and isinstance(quadrature.easier(program), Summed))]
    if not mine:
        return []
    return [f"Discrete sites ({summed.named(program)}) are summed out by {', '.join(mine)}, and drawn afterwards given "
            f"the others."]


def bounds(program: Program, name: str) -> list[str]:
    """The sites with which the support of a site changes; none where that takes long."""
    rng = torch.Generator().manual_seed(0)
    one, other = program.prior(rng), program.prior(rng)
    if len(one) > MANY:
        return []

    def support(latents: Latents) -> object:
        with torch.no_grad():
            return program.nodes(latents, program.data)[name]["fn"].support

    first = support(one)
    return [site for site in one if site != name and not supports.same(first, support({**one, site: other[site]}))]


def _exact(program: Program) -> list[str]:
    known = program.known
    if any(site.moves for site in known.latent.values()):
        return []
    D = program.coordinates.size
    if D == 0:
        return ["enumeration"] if states.few(program, enumeration.LARGEST) else []
    fits = states.few(program, quadrature.STATES) or isinstance(summed.of(program), Summed)
    return ["quadrature"] if D <= quadrature.LARGEST and fits else []
