"""Samples take the log-variance for a log standard deviation; the density does not.

Symptom: predictions are far too wide or too narrow, and the ELBO is still climbing.
"""

from checks.right.guides import mean_field
from checks.right.guides.mean_field import SITES, log_density, start

__all__ = ["elbo", "log_density", "sample", "start"]


def sample(params, noise):
    return {s: params[f"{s}_mean"] + params[f"{s}_log_variance"].exp() * noise[s] for s in SITES}


def elbo(model, data, params, noise, batch=None):
    latents = sample(params, noise)
    log_joint = mean_field.log_prior(model, latents) + mean_field.log_likelihood(model, data, latents, batch)
    return log_joint - log_density(params, latents)
