"""The score-function gradient multiplies with grad log p instead of grad log q.

Symptom: means drift without aim.
"""

from checks.right.guides.mean_field import SITES, elbo, log_density, sample, start

__all__ = ["elbo", "gradient", "log_density", "sample", "start"]


def gradient(model, data, params, noise):
    fixed = {s: x.detach() for s, x in sample(params, noise).items()}
    weight = elbo(model, data, params, noise).detach()[:, None, None]
    return {f"{s}_{part}": weight * (-fixed[s] / model.prior_variance if part == "mean" else 0 * fixed[s])
            for s in SITES for part in ("mean", "log_variance")}
