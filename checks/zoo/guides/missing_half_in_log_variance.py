"""The gradient of the log-variance is that of the log standard deviation: twice too large.

Symptom: variances move twice as fast as means; Adam hides it.
"""

from checks.guides.guide import by_torch
from checks.right.guides.mean_field import elbo, log_density, sample, start

__all__ = ["elbo", "gradient", "log_density", "sample", "start"]


def gradient(model, data, params, noise):
    found = by_torch(elbo)(model, data, params, noise)
    return {name: 2 * g if name.endswith("log_variance") else g for name, g in found.items()}
