"""How good a fitted guide is, for information: it may be poor and yet right.

    k-hat       the shape of the tail of p / q over samples of q (PSIS; Yao et al. 2018); above 0.7, q is too unlike
                the posterior for weights to correct it
    coverage    the share of the model's true quantities (the means behind the ratings) in q's 90% intervals
"""

from __future__ import annotations

import torch
from torch import Tensor

from inference.method import Latents
from models.model import Model

POOR = 0.7


def quality(model: Model, log_ratio: Tensor, draws: Latents, truth: Latents) -> tuple[float, float]:
    """k-hat and coverage of one fit: log p - log q of every draw, the draws, and the latents behind the data."""
    import arviz

    _, shape = arviz.psislw(log_ratio.numpy())
    drawn, true = (torch.cat(list(model.quantities(x).values()), -1) for x in (draws, truth))
    low, high = torch.quantile(drawn, torch.tensor([0.05, 0.95], dtype=drawn.dtype), 0)
    return float(shape), float(((low <= true) & (true <= high)).double().mean())


def said(found: list[tuple[float, float]], compared: str) -> str:
    """A sentence about all fits; `compared` names the quantities."""
    shape = max(k for k, _ in found)
    share = sum(c for _, c in found) / len(found)
    return (f"of the fits: PSIS k-hat {shape:.2f}"
            + (f" (above {POOR}: weights cannot turn q into the posterior)" if shape > POOR else "")
            + f"; q's 90% intervals hold {share:.0%} of the {compared}; both tell how good q is, "
            f"not whether it is right")
