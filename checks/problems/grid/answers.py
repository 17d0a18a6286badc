"""What is known about a q of independent pixels: its ELBO by enumeration, and coordinate ascent from there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from checks.problems.problem import Moments
from inference.method import Latents, Quantities
from models.grid import GridMRF

SWEEPS = 300
VARIES = 5e-2  # variance of an indicator, from which its correlations can be told in a few thousand draws


@dataclass(frozen=True)
class MeanField:
    """q(y) = prod_ij p_ij(y_ij): `labels`, (H, W, K)."""

    model: GridMRF
    compared: str = "true labels behind the image"

    def moments(self, q: Quantities) -> Moments:
        p = q["labels"]
        return {"labels": (p, p * (1 - p))}

    def values(self, draws: Latents) -> dict[str, Tensor]:
        return self.model.quantities(draws)

    def summary(self, draws: Latents) -> Quantities:
        return {name: x.mean(0) for name, x in self.values(draws).items()}

    def independent(self, q: Quantities, draws: Latents) -> bool:
        """Whether the indicators of no two pixels are correlated, within 6 standard errors, where both vary."""
        p = q["labels"].flatten()
        vary = p * (1 - p) > VARIES
        pixel = torch.arange(len(p))[vary] // q["labels"].shape[-1]
        off = (self.values(draws)["labels"].flatten(1) - p)[:, vary] / (p * (1 - p)).sqrt()[vary]
        together = off.T @ off / len(off) ** 0.5
        return not bool((together.abs() > 6)[pixel[:, None] != pixel].any())

    def elbo(self, data: Tensor, q: Quantities) -> float:
        p = q["labels"].clamp(min=1e-300)
        y = self.model.configurations
        log_q = p.log().expand(len(y), *p.shape).gather(-1, y[..., None])[..., 0].sum((-2, -1))
        return float((log_q.exp() * (self.model.log_joint({"labels": y}, data) - log_q)).sum())

    def polished(self, data: Tensor, q: Quantities, tolerance: float = 1e-6) -> float:
        """After all sweeps: they cost nothing here."""
        return self.elbo(data, {"labels": ascended(self.model, data, q["labels"].clone())})


def ascended(model: GridMRF, data: Tensor, p: Tensor) -> Tensor:
    """q_ij = softmax(field + sum over the neighbours of E_q[pair]), pixel after pixel."""
    H, W, _ = model.shape
    field = model.field(data)
    for _ in range(SWEEPS):
        for i in range(H):
            for j in range(W):
                score = field[i, j].clone()
                score += model.right[i, j] @ p[i, j + 1] if j + 1 < W else 0.0
                score += p[i, j - 1] @ model.right[i, j - 1] if j else 0.0
                score += model.down[i, j] @ p[i + 1, j] if i + 1 < H else 0.0
                score += p[i - 1, j] @ model.down[i - 1, j] if i else 0.0
                p[i, j] = torch.softmax(score, 0)
    return p
