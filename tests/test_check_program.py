"""`cc.check` on a Pyro model from Python: what is wrong is called so, and what is right, on the model that is given."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from torch import Tensor

import crosscheck as cc
from checks.verdict import Outcome

pytestmark = pytest.mark.usefixtures("one_thread")


def heights(y: Tensor) -> None:
    mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
    with pyro.plate("person", len(y)):
        pyro.sample("y", dist.Normal(mean, 1.0), obs=y)


def exactly(latents, y):
    """mean | y ~ N(sum y / (n + 1), 1 / (n + 1))"""
    return {"mean": y.sum() / (len(y) + 1) + torch.randn(()) / (len(y) + 1) ** 0.5}


def too_wide(latents, y):
    return {"mean": y.sum() / (len(y) + 1) + torch.randn(())}


@pytest.mark.parametrize(("what", "outcome"), [(exactly, Outcome.RIGHT), (too_wide, Outcome.WRONG)])
def test_a_verdict_on_a_function(what, outcome):
    """A right one is called wrong with probability 1e-6 at most."""
    model = cc.program(heights, (torch.tensor([0.3, 1.1, -0.2]),))
    assert cc.check(what, model, budget=20, level=1e-6).outcome is outcome
