"""The weights of the evidence and of each neighbour's potential that a kernel's conditionals seem to have."""

from __future__ import annotations

import torch
from torch import Tensor

from checks.problems.grid.features import neighbourhood
from checks.problems.pseudo_likelihood import REPLICATES, fitted, off
from inference.method import Latents
from models.grid import GridMRF


def implied(model: GridMRF, after: Latents, images: Tensor) -> list[str]:
    """Factors of the evidence and of each neighbour's potential."""
    y, image = after["labels"][:REPLICATES], images[:REPLICATES]
    _, sides = neighbourhood(model, y, model.field(image))
    parts = {"the evidence": model.evidence * image, **{f"the potential of the {s}": m for s, (_, m) in sides.items()}}
    stacked = torch.stack(list(parts.values()))

    def loss(factor: Tensor) -> Tensor:
        scores = model.unary + torch.einsum("p,pnhwk->nhwk", factor, stacked)
        return -torch.log_softmax(scores, -1).gather(-1, y[..., None]).sum()

    at, error = fitted(loss, torch.ones(len(parts), dtype=torch.float64))
    return [f"it samples as if {name} were {float(a):.2f} times what you passed"
            for name, a, e in zip(parts, at, error, strict=True) if off(a - 1, e)]
