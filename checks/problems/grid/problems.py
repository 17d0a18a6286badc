"""Grids small enough to list every labelling, so that (labels, image) can be drawn exactly from the joint.

Chosen so that whatever a mistake may depend on (`SHOWS` in coverage.py) is on some problem, and on one of each form
that a kernel may know alone: one table, tables by site, two labels.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from checks.problems.grid.answers import MeanField
from checks.problems.grid.coverage import SHOWS
from checks.problems.grid.features import coordinates, free, implied, normal
from checks.problems.problem import Listed, Problem, ProblemSet
from inference.method import Latents
from models.grid import GridMRF

MIXED = (1.2, -0.4)  # by distance of the labels
ATTRACTIVE = (1.0, 0.0)
STRONG = (1.6, 0.0)
REPULSIVE = (-0.5, 0.4)
GAPS = 0.15  # of the pixels unobserved, and as many seen with all labels but one
USES = "on a grid the potentials given an image are model.field(data), not model.unary"


def problems() -> list[Problem]:
    """The test problems, the most telling first."""
    return [
        problem("3 x 3 grid, 3 labels, mixed-sign coupling", potts(3, 3, 3, MIXED)),
        problem("3 x 3 grid, 3 labels, asymmetric tables that differ by site, gaps in the image",
                by_site(3, 3, 3), gaps=GAPS),
        *(replace(p, brief=True) for p in (
            problem("3 x 4 grid, 2 labels, strong attractive coupling", potts(3, 4, 2, STRONG)),
            problem("4 x 3 grid, 2 labels, weak repulsive coupling, gaps in the image", potts(4, 3, 2, REPULSIVE),
                    gaps=GAPS),
            problem("4 x 3 grid, 2 labels, asymmetric tables that differ by site", by_site(4, 3, 2)),
            problem("3 x 4 grid, 2 labels, symmetric tables that differ by site, gaps in the image",
                    by_site(3, 4, 2, symmetric=True), gaps=GAPS),
            problem("2 x 4 grid, 3 labels, attractive coupling", potts(2, 4, 3, ATTRACTIVE)),
            problem("4 x 2 grid, 3 labels, one asymmetric table and pixels of their own",
                    replace(potts(4, 2, 3, table(2, 3, 3)), unary=table(6, 4, 2, 3))),
        ))]


def problem(name: str, model: GridMRF, gaps: float = 0.0) -> Problem[GridMRF]:
    """(labels, image) ~ p(y) p(x | y), drawn by enumeration; the kernel is given the image as data."""

    def joint(rng: torch.Generator, n: int) -> tuple[Latents, Tensor]:
        pick = torch.multinomial(model._prior_weights, n, replacement=True, generator=rng)
        labels = {"labels": model.configurations[pick]}
        image = model.simulate(rng, labels)
        return labels, with_gaps(rng, model, labels, image, gaps) if gaps else image

    return Problem(name, model, joint, lambda data, r: data[r], free, normal, {
        "evidence": lambda factor: replace(model, evidence=factor * model.evidence),
        "coupling": lambda factor: replace(model.scaled(factor), unary=model.unary, evidence=model.evidence),
        "inverse temperature": model.scaled,
    }, coordinates, USES, implied, answers=MeanField(model))


def with_gaps(rng: torch.Generator, model: GridMRF, latents: Latents, image: Tensor, share: float) -> Tensor:
    """Some pixels unobserved, and some seen with all labels but one, wherever these are and whatever the labels.

        p(all labels but z | y) = exp(evidence [z != y]) / const

    so that log p(y, x) is the log joint up to a constant here too.
    """
    kind = torch.rand(image.shape[:-1], generator=rng, dtype=torch.float64)[..., None]
    opposite = replace(model, evidence=-model.evidence).simulate(rng, latents)
    return torch.where(kind < share, 0.0, torch.where(kind > 1 - share, 1 - opposite, image))


def potts(H: int, W: int, K: int, coupling: tuple[float, ...] | Tensor) -> GridMRF:
    """Potts denoising with evidence 1, before an image is seen."""
    return GridMRF.potts(torch.zeros(H, W, K), 1.0, coupling)


def by_site(H: int, W: int, K: int, symmetric: bool = False) -> GridMRF:
    """Every table another one; log-potentials within about 1 nat."""
    right, down = table(1, H, W - 1, K, K), table(3, H - 1, W, K, K)
    if symmetric:
        right, down = (x + x.mT for x in (right, down))
    return GridMRF(table(5, H, W, K), right, down, evidence=1.0)


def table(seed: int, *shape: int) -> Tensor:
    return 0.7 * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def tiny() -> list[Listed]:
    """2 x 2 grids whose state graph is walked: so flat that every labelling is likely."""
    models = {K: GridMRF.potts(torch.zeros(2, 2, K), 0.1, (0.1, -0.05)) for K in (3, 2)}
    return [Listed(problem(f"labellings of a 2 x 2 grid with {K} labels", model), {"labels": model.configurations})
            for K, model in models.items()]


SET = ProblemSet("grid", "grid", "Problem 1", "--problem 1 (grids)", problems, lambda: problems()[0], tiny, shows=SHOWS)
