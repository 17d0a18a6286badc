"""The likelihood of a minibatch is not scaled up to all ratings.

Symptom: small batches are drowned by the prior: everything shrinks to zero.
"""

from checks.right.guides.mean_field import log_density, log_prior, sample, start
from models.densities import log_normal

__all__ = ["elbo", "log_density", "sample", "start"]


def elbo(model, data, params, noise, batch=None):
    latents = sample(params, noise)
    here = data if batch is None else data.take(batch)
    guess = model.quantities(latents, here.pairs)["prediction"]
    likelihood = log_normal(here.rating, guess, model.noise_variance).sum(-1)
    return log_prior(model, latents) + likelihood - log_density(params, latents)
