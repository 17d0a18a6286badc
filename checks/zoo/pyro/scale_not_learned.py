"""The parameter of the scale is there and has a gradient, and what is drawn has a scale bounded far below it.

Symptom: intervals are the same narrow ones for every user; the ELBO lacks many nats.
"""

import pyro.distributions as dist

from checks.right.pyro.normals import each


def guide(model, data):
    each(model, lambda mean, sd: dist.Normal(mean, 0.05 * sd.tanh()))
