"""A small factorization with gaps that several tests of kernels share, and what is asked of every one."""

import pyro.poutine as poutine
import torch
from torch.testing import assert_close

from models.factorization import Factorization


def problem(K=3, users=12, items=7, seed=0):
    """About half of all pairs rated; user 3 and item 2 not at all."""
    rng = torch.Generator().manual_seed(seed)
    seen = torch.rand(users, items, generator=rng) < 0.5
    seen[3], seen[:, 2] = False, False
    user, item = seen.nonzero(as_tuple=True)
    model = Factorization(users, items, K, prior_variance=1.5, noise_variance=0.4, pairs=(user, item))
    return model, model.simulate(rng, model.prior(rng)), rng


def assert_program_agrees(model, data, latents):
    """The Pyro program has the model's sites, of their shapes, and its log joint."""
    assert {site: tuple(x.shape) for site, x in latents.items()} == model.sites
    trace = poutine.trace(poutine.condition(model.program, latents)).get_trace(data)
    assert_close(model.log_joint(latents, data), trace.log_prob_sum(), rtol=1e-10, atol=1e-9)
    assert {n for n, node in trace.nodes.items() if node["type"] == "sample" and n in model.sites} == set(latents)
