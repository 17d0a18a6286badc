"""A distribution that uses one random number for all its entries.

Symptom: entries of a draw go up and down together, while the density takes them for independent.
"""

import pyro.distributions as dist
import torch

from checks.right.pyro.normals import each


class Normal(dist.Normal):
    def rsample(self, sample_shape=()):
        return self.loc + self.scale * torch.randn(())


def guide(model, data):
    each(model, Normal)
