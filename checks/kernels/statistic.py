"""Is the mean of every score after the kernel's steps what it is under the joint?

    y = score of f(theta', data),  x = score of f(theta, data),  mu = their known common mean

    d = (mean y - mu) - beta (mean x - mu),      beta from the regression of y on x

x has the mean mu whatever the kernel does, so it only takes noise away: a kernel that moves slowly
(beta near 1) is compared with where it started, one that forgets at once (beta near 0) with the joint.

    variance of d = max(residual variance, (1 - beta)^2 variance under the joint) / n
                    + (1 - beta)^2 variance under the joint / draws behind mu

The floor holds for every right kernel, since y and x then have the same variance: without it an
indicator that never fired has no variance at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from checks.kernels.score import Scale

ENOUGH = 25  # replicates expected off the commonest value, for a function to be compared at all


@dataclass(frozen=True)
class Compared:
    """z, (2, F): d over its standard deviation, nan where n is too small to say. d is in sd of the score."""

    z: Tensor
    d: Tensor
    kept: Tensor  # beta, (2, F): the share of a score that is still there after the steps
    n: int

    @property
    def p_values(self) -> np.ndarray:
        """Two-sided, (2, F); 1 where there is nothing to compare."""
        p = 2 * stats.t.sf(self.z.abs().numpy(), self.n - 2)
        return np.where(np.isnan(p), 1.0, p)


def compare(before: Tensor, after: Tensor, scale: Scale) -> Compared:
    """Scores (2, F, n) of the latents before and after the kernel's steps, with the same data."""
    n = before.shape[-1]
    mean_x, mean_y = before.mean(-1), after.mean(-1)
    x, y = before - mean_x[..., None], after - mean_y[..., None]
    var_x = (x * x).mean(-1)
    kept = (x * y).mean(-1) / var_x.clamp(min=1e-12)
    residual = (y - kept[..., None] * x).square().sum(-1) / (n - 2)
    joint = (1 - kept) ** 2 * scale.variance
    d = (mean_y - scale.mean) - kept * (mean_x - scale.mean)
    sd = (torch.maximum(residual, joint) / n + joint / scale.draws).sqrt()
    usable = (scale.rarest * n >= ENOUGH) & (scale.variance > 1e-3) & (sd > 0)
    z = torch.where(usable, d / sd, torch.nan)
    return Compared(z, d / scale.variance.sqrt().clamp(min=1e-6), kept, n)
