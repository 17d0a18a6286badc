"""The likelihood is evaluated at q's means instead of a sample.

Symptom: variances of U and V go to the prior's; predictions ignore uncertainty.
"""

from checks.right.guides.mean_field import log_density, log_likelihood, log_prior, sample, start

__all__ = ["elbo", "log_density", "sample", "start"]


def elbo(model, data, params, noise, batch=None):
    latents = sample(params, noise)
    means = {"U": params["U_mean"], "V": params["V_mean"]}
    likelihood = log_likelihood(model, data, means, batch)
    return log_prior(model, latents) + likelihood - log_density(params, latents)
