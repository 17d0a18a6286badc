"""A full-covariance guide whose density forgets the determinant of L.

Symptom: covariances shrink to nothing.
"""

import torch

from checks.right.guides.full_rows import root, sample, start
from checks.right.guides.mean_field import SITES, log_likelihood, log_prior

__all__ = ["elbo", "log_density", "sample", "start"]


def log_density(params, latents):
    total = 0.0
    for s in SITES:
        off = (latents[s] - params[f"{s}_mean"])[..., None]
        z = torch.linalg.solve_triangular(root(params, s), off, upper=False)[..., 0]
        total = total - (0.5 * z**2 + 0.9189385332046727).sum((-2, -1))
    return total


def elbo(model, data, params, noise, batch=None):
    latents = sample(params, noise)
    return log_prior(model, latents) + log_likelihood(model, data, latents, batch) - log_density(params, latents)
