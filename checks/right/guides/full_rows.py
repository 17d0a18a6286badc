"""A full covariance for every row: row = mean + L z, L lower triangular with exp of `log_diagonal` on its diagonal."""

import torch

from checks.right.guides.mean_field import SITES, log_likelihood, log_prior

__all__ = ["elbo", "log_density", "sample", "start"]


def start(rng, model, data):
    found = {}
    for site, (rows, K) in model.sites.items():
        found[f"{site}_mean"] = model.prior_variance**0.5 * torch.randn(rows, K, generator=rng, dtype=torch.float64)
        found[f"{site}_log_diagonal"] = torch.full((rows, K), model.prior_variance / 10, dtype=torch.float64).log() / 2
        found[f"{site}_below"] = torch.zeros(rows, K, K, dtype=torch.float64)
    return found


def root(params, site):
    return params[f"{site}_below"].tril(-1) + torch.diag_embed(params[f"{site}_log_diagonal"].exp())


def sample(params, noise):
    return {s: params[f"{s}_mean"] + (root(params, s) @ noise[s][..., None])[..., 0] for s in SITES}


def log_density(params, latents):
    total = 0.0
    for s in SITES:
        off = (latents[s] - params[f"{s}_mean"])[..., None]
        z = torch.linalg.solve_triangular(root(params, s), off, upper=False)[..., 0]
        log_root = params[f"{s}_log_diagonal"]
        total = total - (0.5 * z**2 + log_root + 0.5 * torch.log(torch.tensor(2 * torch.pi))).sum((-2, -1))
    return total


def elbo(model, data, params, noise, batch=None):
    latents = sample(params, noise)
    return log_prior(model, latents) + log_likelihood(model, data, latents, batch) - log_density(params, latents)
