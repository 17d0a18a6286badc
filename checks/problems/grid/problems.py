"""Grids small enough to list every labelling, so that (labels, image) can be drawn exactly from the joint.

Mixed-sign couplings, because with one sign a labelling of one colour hides most mistakes; site-dependent,
asymmetric tables in the third, because only they tell pair[k, l] from pair[l, k].
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from checks.problems.grid.answers import MeanField
from checks.problems.grid.features import coordinates, free, implied, normal
from checks.problems.problem import Listed, Problem, ProblemSet
from inference.method import Latents
from models.grid import GridMRF

MIXED = (1.2, -0.4)
ATTRACTIVE = (1.0, 0.4)
USES = "on a grid the potentials given an image are model.field(data), not model.unary"


def problems() -> list[Problem]:
    """The test problems, the most telling first; spare ones are for kernels that refuse those before."""
    return [
        problem("3 x 3 grid, 3 labels, mixed-sign coupling", potts(3, 3, 3, MIXED)),
        problem("3 x 2 grid, 3 labels, asymmetric tables that differ by site", uneven(3, 2, 3)),
        problem("2 x 3 grid, 3 labels, mixed-sign coupling", potts(2, 3, 3, MIXED)),
        replace(problem("3 x 3 grid, 3 labels, attractive coupling", potts(3, 3, 3, ATTRACTIVE)), spare=True),
    ]


def problem(name: str, model: GridMRF) -> Problem[GridMRF]:
    """(labels, image) ~ p(y) p(x | y), drawn by enumeration; the kernel is given the image as data."""

    def joint(rng: torch.Generator, n: int) -> tuple[Latents, Tensor]:
        pick = torch.multinomial(model._prior_weights, n, replacement=True, generator=rng)
        labels = {"labels": model.configurations[pick]}
        return labels, model.simulate(rng, labels)

    return Problem(name, model, joint, lambda data, r: data[r], free, normal, {
        "evidence": lambda factor: replace(model, evidence=factor * model.evidence),
        "coupling": lambda factor: replace(model, right=factor * model.right, down=factor * model.down),
        "inverse temperature": model.scaled,
    }, coordinates, USES, implied, MeanField(model))


def potts(H: int, W: int, K: int, coupling: tuple[float, ...]) -> GridMRF:
    """Potts denoising with evidence 1, before an image is seen."""
    return GridMRF.potts(torch.zeros(H, W, K), 1.0, coupling)


def uneven(H: int, W: int, K: int) -> GridMRF:
    """Every table another one, none symmetric; log-potentials within about 1 nat."""
    rng = torch.Generator().manual_seed(1)

    def table(*shape: int) -> Tensor:
        return 0.7 * torch.randn(shape, generator=rng, dtype=torch.float64)

    return GridMRF(table(H, W, K), table(H, W - 1, K, K), table(H - 1, W, K, K), evidence=1.0)


def tiny() -> Listed:
    """The 2 x 2 grid whose state graph is walked: so flat that every labelling is likely."""
    model = GridMRF.potts(torch.zeros(2, 2, 3), 0.1, (0.1, -0.05))
    return Listed(problem("labellings of a 2 x 2 grid", model), {"labels": model.configurations})


SET = ProblemSet("grid", "grid", "Problem 1", "--problem 1 (grids)", problems, lambda: problems()[0], tiny)
