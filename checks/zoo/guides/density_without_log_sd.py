"""The density lacks its - log sd: it is not normalised.

Symptom: scales shrink to nothing or grow for ever.
"""

from checks.right.guides import mean_field
from checks.right.guides.mean_field import SITES, sample, start

__all__ = ["elbo", "log_density", "sample", "start"]


def log_density(params, latents):
    total = 0.0
    for s in SITES:
        z = (latents[s] - params[f"{s}_mean"]) * (-0.5 * params[f"{s}_log_variance"]).exp()
        total = total - (0.5 * z**2 + 0.9189385332046727).sum((-2, -1))
    return total


def elbo(model, data, params, noise, batch=None):
    latents = sample(params, noise)
    log_joint = mean_field.log_prior(model, latents) + mean_field.log_likelihood(model, data, latents, batch)
    return log_joint - log_density(params, latents)
