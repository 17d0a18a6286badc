"""A small factorization with gaps that several tests of kernels share."""

import torch

from models.factorization import Factorization


def problem(K=3, users=12, items=7, seed=0):
    """About half of all pairs rated; user 3 and item 2 not at all."""
    rng = torch.Generator().manual_seed(seed)
    seen = torch.rand(users, items, generator=rng) < 0.5
    seen[3], seen[:, 2] = False, False
    user, item = seen.nonzero(as_tuple=True)
    model = Factorization(users, items, K, prior_variance=1.5, noise_variance=0.4, pairs=(user, item))
    return model, model.simulate(rng, model.prior(rng)), rng
