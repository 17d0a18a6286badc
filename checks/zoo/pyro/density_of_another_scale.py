"""A distribution whose log_prob takes half the log of the scale, as if it were the log of a variance.

Symptom: scales collapse; the reported ELBO is above the log evidence.
"""

import pyro.distributions as dist

from checks.right.pyro.normals import each


class Normal(dist.Normal):
    def log_prob(self, value):
        return super().log_prob(value) + 0.5 * self.scale.log()


def guide(model, data):
    each(model, Normal)
