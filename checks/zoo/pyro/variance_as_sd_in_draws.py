"""A distribution that draws with the square of its scale.

Symptom: draws are closer to the mean than the density says; fitted scales are roots of what they should be.
"""

import pyro.distributions as dist
import torch

from checks.right.pyro.normals import each


class Normal(dist.Normal):
    def rsample(self, sample_shape=()):
        return self.loc + self.scale**2 * torch.randn(self._extended_shape(torch.Size(sample_shape)))


def guide(model, data):
    each(model, Normal)
