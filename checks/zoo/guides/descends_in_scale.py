"""The gradient of the log-variance has the wrong sign.

Symptom: variances run away from their optimum.
"""

from checks.guides.guide import by_torch
from checks.right.guides.mean_field import elbo, log_density, sample, start

__all__ = ["elbo", "gradient", "log_density", "sample", "start"]


def gradient(model, data, params, noise):
    found = by_torch(elbo)(model, data, params, noise)
    return {name: -g if name.endswith("log_variance") else g for name, g in found.items()}
