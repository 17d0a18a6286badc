"""Mean field with KL(q || p) in closed form: the ELBO of one sample differs from log p - log q, their means do not."""

from checks.right.guides.mean_field import SITES, log_density, log_likelihood, sample, start

__all__ = ["elbo", "kl", "log_density", "sample", "start"]


def elbo(model, data, params, noise, batch=None):
    return log_likelihood(model, data, sample(params, noise), batch) - sum(kl(model, params, s) for s in SITES)


def kl(model, params, site):
    """KL(q || p) of a site, in nats."""
    mean, variance = params[f"{site}_mean"], params[f"{site}_log_variance"].exp()
    ratio = variance / model.prior_variance
    return 0.5 * (ratio + mean**2 / model.prior_variance - 1 - ratio.log()).sum((-2, -1))
