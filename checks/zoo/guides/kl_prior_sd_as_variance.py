"""The KL takes the prior's standard deviation for its variance.

Symptom: U and V are too short, or too long.
"""

from checks.right.guides.mean_field import SITES, log_density, log_likelihood, sample, start

__all__ = ["elbo", "log_density", "sample", "start"]


def elbo(model, data, params, noise, batch=None):
    return log_likelihood(model, data, sample(params, noise), batch) - sum(kl(model, params, s) for s in SITES)


def kl(model, params, site):
    mean, variance = params[f"{site}_mean"], params[f"{site}_log_variance"].exp()
    prior = model.prior_variance**0.5
    return 0.5 * (variance / prior + mean**2 / prior - 1 - (variance / prior).log()).sum((-2, -1))
