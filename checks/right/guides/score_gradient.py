"""The gradient by the score function, E[f grad log q], f = log p - log q: right, and too noisy to fit by."""

import torch

from checks.right.guides.mean_field import elbo, log_density, sample, start

__all__ = ["elbo", "gradient", "log_density", "sample", "start"]


def gradient(model, data, params, noise):
    leaves = {name: x.detach().requires_grad_() for name, x in params.items()}
    with torch.no_grad():
        latents, f = sample(params, noise), elbo(model, data, params, noise)
    slopes = torch.autograd.grad((log_density(leaves, latents) * f).sum(), list(leaves.values()))
    return dict(zip(leaves, slopes, strict=True))
