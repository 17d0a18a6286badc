"""The KL of V is forgotten.

Symptom: V grows without end, U shrinks.
"""

from checks.right.guides.analytic_kl import kl
from checks.right.guides.mean_field import log_density, log_likelihood, sample, start

__all__ = ["elbo", "log_density", "sample", "start"]


def elbo(model, data, params, noise, batch=None):
    return log_likelihood(model, data, sample(params, noise), batch) - kl(model, params, "U")
