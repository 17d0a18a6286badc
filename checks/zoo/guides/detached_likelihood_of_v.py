"""The likelihood sees a detached V.

Symptom: V goes to the prior, U does all the work.
"""

from checks.right.guides.mean_field import log_density, log_likelihood, log_prior, sample, start

__all__ = ["elbo", "log_density", "sample", "start"]


def elbo(model, data, params, noise, batch=None):
    latents = sample(params, noise)
    likelihood = log_likelihood(model, data, {**latents, "V": latents["V"].detach()}, batch)
    return log_prior(model, latents) + likelihood - log_density(params, latents)
