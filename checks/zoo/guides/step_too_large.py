"""A learning rate of 2.

Symptom: the ELBO jumps about and never settles.
"""

from checks.guides.guide import by_torch, noise, repeated
from checks.right.guides.mean_field import elbo, log_density, sample, start

__all__ = ["elbo", "fit", "log_density", "sample", "start"]


def fit(rng, model, data):
    """Plain gradient steps of one size, cut to stay finite."""
    params = start(rng, model, data)
    for _ in range(500):
        slope = by_torch(elbo)(model, data, repeated(params, 1), noise(rng, model, 1))
        params = {name: x + 0.5 * slope[name][0].clamp(-1, 1) for name, x in params.items()}
    return params
