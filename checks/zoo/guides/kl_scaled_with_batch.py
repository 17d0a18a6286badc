"""The KL is scaled by n / N with the minibatch, and the likelihood too is scaled up.

Symptom: small batches overfit, large ones do not.
"""

from checks.right.guides.analytic_kl import kl
from checks.right.guides.mean_field import SITES, log_density, log_likelihood, sample, start

__all__ = ["elbo", "log_density", "sample", "start"]


def elbo(model, data, params, noise, batch=None):
    share = 1.0 if batch is None else len(batch) / len(data)
    return log_likelihood(model, data, sample(params, noise), batch) - share * sum(kl(model, params, s) for s in SITES)
