"""KL divergences between Gaussians, in closed form and in nats."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Independent, LowRankMultivariateNormal, MultivariateNormal, Normal, register_kl


def kl_normal(mean_q: Tensor, variance_q: Tensor, mean_p: Tensor | float, variance_p: float) -> Tensor:
    """KL(N(mean_q, variance_q) || N(mean_p, variance_p)), elementwise (checkpoint 2.1).

    log(s_p / s_q) + (s_q^2 + (m_q - m_p)^2) / (2 s_p^2) - 1/2

    >>> kl_normal(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 1.0]), 0.0, 1.0)
    tensor([0.0000, 0.5000])
    """
    return 0.5 * ((variance_q + (mean_q - mean_p) ** 2) / variance_p - 1 - torch.log(variance_q / variance_p))


def kl_rows(mean: Tensor, spread: Tensor, prior_variance: float) -> Tensor:
    """KL(q || N(0, s I)) summed over rows i (checkpoint 2.2):

        sum_i of 1/2 [(tr S_i + m_i'm_i) / s - K - log |S_i| + K log s]

    For variances that is the sum over entries of log(sqrt(s) / sd) + (sd^2 + m^2) / (2 s) - 1/2.

    >>> kl_rows(torch.ones(3, 2), torch.ones(3, 2), 1.0) == kl_rows(torch.ones(3, 2), torch.eye(2).expand(3, 2, 2), 1.0)
    tensor(True)
    """
    full = spread.ndim > mean.ndim
    variance = spread.diagonal(dim1=-2, dim2=-1) if full else spread
    log_det = torch.linalg.cholesky(spread).diagonal(dim1=-2, dim2=-1).log().mul(2) if full else spread.log()
    return 0.5 * ((variance + mean**2) / prior_variance - 1 - log_det + math.log(prior_variance)).sum()


@register_kl(MultivariateNormal, Independent)
@register_kl(LowRankMultivariateNormal, Independent)
def kl_independent(q: MultivariateNormal | LowRankMultivariateNormal, p: Independent) -> Tensor:
    """KL(q || p) to a normal of independent entries: E_q (x - m)^2 is closed form, and so is q's entropy.

    torch has none, and Pyro's `TraceMeanField_ELBO` asks for it where a guide has a covariance for every row.
    """
    if not isinstance(p.base_dist, Normal) or p.reinterpreted_batch_ndims != 1:
        raise NotImplementedError
    m, variance = p.base_dist.mean, p.base_dist.variance
    cross = 0.5 * ((q.variance + (q.mean - m) ** 2) / variance + torch.log(2 * torch.pi * variance)).sum(-1)
    return cross - q.entropy()
