"""The standard deviation is detached where the sample is made.

Symptom: scales follow the entropy alone and grow for ever.
"""

from checks.right.guides.mean_field import SITES, log_density, log_likelihood, log_prior, sample, start

__all__ = ["elbo", "log_density", "sample", "start"]


def elbo(model, data, params, noise, batch=None):
    scale = {s: (0.5 * params[f"{s}_log_variance"]).exp().detach() for s in SITES}
    latents = {s: params[f"{s}_mean"] + scale[s] * noise[s] for s in SITES}
    return log_prior(model, latents) + log_likelihood(model, data, latents, batch) - log_density(params, latents)
