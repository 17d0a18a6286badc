"""A normal for every entry of U and V, and the reparameterised ELBO with one sample's log q.

    ELBO = log p(U, V) + N / n sum over the batch of log N(r | u.v, noise) - log q(U, V),    U = mean + sd z

Parameters and noise may have a leading axis of replicates; so then has the ELBO.
"""

import torch

from models.densities import log_normal

SITES = ("U", "V")


def start(rng, model, data):
    """Means of the prior's size, variances a tenth of it."""
    found = {}
    for site, shape in model.sites.items():
        found[f"{site}_mean"] = model.prior_variance**0.5 * torch.randn(shape, generator=rng, dtype=torch.float64)
        found[f"{site}_log_variance"] = torch.full(shape, model.prior_variance / 10, dtype=torch.float64).log()
    return found


def sample(params, noise):
    return {s: params[f"{s}_mean"] + (0.5 * params[f"{s}_log_variance"]).exp() * noise[s] for s in SITES}


def log_density(params, latents):
    return sum(log_q(latents[s], params[f"{s}_mean"], params[f"{s}_log_variance"].exp()) for s in SITES)


def log_q(x, mean, variance):
    """log N(x | mean, variance), summed over rows and entries."""
    return -0.5 * ((x - mean) ** 2 / variance + (2 * torch.pi * variance).log()).sum((-2, -1))


def elbo(model, data, params, noise, batch=None):
    latents = sample(params, noise)
    return log_prior(model, latents) + log_likelihood(model, data, latents, batch) - log_density(params, latents)


def log_prior(model, latents):
    return sum(log_normal(latents[s], 0.0, model.prior_variance).sum((-2, -1)) for s in SITES)


def log_likelihood(model, data, latents, batch=None):
    """Of all ratings, estimated from those at the positions `batch`."""
    here = data if batch is None else data.take(batch)
    guess = model.quantities(latents, here.pairs)["prediction"]
    return len(data) / len(here) * log_normal(here.rating, guess, model.noise_variance).sum(-1)
