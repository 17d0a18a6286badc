"""One vector of noise serves all rows; the density says they are independent.

Symptom: sums over rows are far too variable.
"""

from checks.right.guides import mean_field
from checks.right.guides.mean_field import SITES, log_density, start

__all__ = ["elbo", "log_density", "sample", "start"]


def sample(params, noise):
    return {s: params[f"{s}_mean"] + (0.5 * params[f"{s}_log_variance"]).exp() * noise[s][..., :1, :] for s in SITES}


def elbo(model, data, params, noise, batch=None):
    latents = sample(params, noise)
    log_joint = mean_field.log_prior(model, latents) + mean_field.log_likelihood(model, data, latents, batch)
    return log_joint - log_density(params, latents)
