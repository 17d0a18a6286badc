"""The optimiser is given the means and forgets the log-variances.

Symptom: predictions are right and their intervals are not.
"""

from checks.guides.guide import adam, by_torch
from checks.right.guides.mean_field import elbo, log_density, sample, start

__all__ = ["elbo", "fit", "log_density", "sample", "start"]


def fit(rng, model, data):
    return adam(start, means_only)(rng, model, data)


def means_only(model, data, params, noise):
    found = by_torch(elbo)(model, data, params, noise)
    return {name: 0 * g if name.endswith("log_variance") else g for name, g in found.items()}
