"""The sample is detached, and no score function takes its place.

Symptom: means do not move.
"""

from checks.right.guides.mean_field import log_density, log_likelihood, log_prior, sample, start

__all__ = ["elbo", "log_density", "sample", "start"]


def elbo(model, data, params, noise, batch=None):
    latents = {s: x.detach() for s, x in sample(params, noise).items()}
    return log_prior(model, latents) + log_likelihood(model, data, latents, batch) - log_density(params, latents)
