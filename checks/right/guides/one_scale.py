"""One scale a site: a small family, which is poor, and right."""

import torch

from checks.right.guides.mean_field import log_likelihood, log_prior, log_q

SITES = ("U", "V")


def start(rng, model, data):
    found = {}
    for site, shape in model.sites.items():
        found[f"{site}_mean"] = torch.randn(shape, generator=rng, dtype=torch.float64)
        found[f"{site}_log_scale"] = torch.full((1, 1), -0.8, dtype=torch.float64)
    return found


def sample(params, noise):
    return {s: params[f"{s}_mean"] + params[f"{s}_log_scale"].exp() * noise[s] for s in SITES}


def log_density(params, latents):
    return sum(log_q(latents[s], params[f"{s}_mean"], (2 * params[f"{s}_log_scale"]).exp()) for s in SITES)


def elbo(model, data, params, noise, batch=None):
    latents = sample(params, noise)
    return log_prior(model, latents) + log_likelihood(model, data, latents, batch) - log_density(params, latents)
