"""Grids small enough to list every labelling, so that (labels, image) can be drawn exactly from the joint.

Mixed-sign couplings, because with one sign a labelling of one colour hides most mistakes; site-dependent,
asymmetric tables in the third, because only they tell pair[k, l] from pair[l, k].
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from checks.problems.grid_features import coordinates, free, normal
from checks.problems.problem import Problem
from inference.method import Latents
from models.grid import GridMRF

MIXED = (1.2, -0.4)
ATTRACTIVE = (1.0, 0.4)


def problems() -> list[Problem]:
    """The test problems, the most telling first; spare ones are for kernels that refuse those before."""
    return [
        problem("3 x 3 grid, 3 labels, mixed-sign coupling", potts(3, 3, 3, MIXED)),
        problem("3 x 2 grid, 3 labels, asymmetric tables that differ by site", uneven(3, 2, 3)),
        problem("2 x 3 grid, 3 labels, mixed-sign coupling", potts(2, 3, 3, MIXED)),
        replace(problem("3 x 3 grid, 3 labels, attractive coupling", potts(3, 3, 3, ATTRACTIVE)), spare=True),
    ]


def problem(name: str, model: GridMRF) -> Problem:
    """(labels, image) ~ p(y) p(x | y), drawn by enumeration; the kernel is given the image as data."""

    def joint(rng: torch.Generator, n: int) -> tuple[Latents, Tensor]:
        pick = torch.multinomial(model._prior_weights, n, replacement=True, generator=rng)
        labels = {"labels": model.configurations[pick]}
        return labels, model.simulate(rng, labels)

    return Problem(name, "grid", model, joint, lambda data, r: data[r], free, normal, {
        "evidence": lambda factor: replace(model, evidence=factor * model.evidence),
        "coupling": lambda factor: replace(model, right=factor * model.right, down=factor * model.down),
        "inverse temperature": model.scaled,
    }, coordinates)


def potts(H: int, W: int, K: int, coupling: tuple[float, ...]) -> GridMRF:
    """Potts denoising with evidence 1, before an image is seen."""
    return GridMRF.potts(torch.zeros(H, W, K), 1.0, coupling)


def uneven(H: int, W: int, K: int) -> GridMRF:
    """Every table another one, none symmetric; log-potentials within about 1 nat."""
    rng = torch.Generator().manual_seed(1)

    def table(*shape: int) -> Tensor:
        return 0.7 * torch.randn(shape, generator=rng, dtype=torch.float64)

    return GridMRF(table(H, W, K), table(H, W - 1, K, K), table(H - 1, W, K, K), evidence=1.0)


def tiny(K: int) -> GridMRF:
    """The 2 x 2 grid whose state graph is walked: so flat that every labelling is likely."""
    return GridMRF.potts(torch.zeros(2, 2, K), 0.1, (0.1, -0.05))
