"""The density is that of U alone.

Symptom: V's spread collapses or explodes.
"""

from checks.right.guides import mean_field
from checks.right.guides.mean_field import SITES, log_q, sample, start

__all__ = ["elbo", "log_density", "sample", "start"]


def log_density(params, latents):
    return sum(log_q(latents[s], params[f"{s}_mean"], params[f"{s}_log_variance"].exp()) for s in SITES[:1])


def elbo(model, data, params, noise, batch=None):
    latents = sample(params, noise)
    log_joint = mean_field.log_prior(model, latents) + mean_field.log_likelihood(model, data, latents, batch)
    return log_joint - log_density(params, latents)
