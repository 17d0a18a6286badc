"""Twenty steps of Adam, because the loss 'looked flat'.

Symptom: every ELBO is too low; more steps help.
"""

from checks.guides.guide import adam, by_torch
from checks.right.guides.mean_field import elbo, log_density, sample, start

__all__ = ["elbo", "fit", "log_density", "sample", "start"]

fit = adam(start, by_torch(elbo), steps=20)
