"""`assert_right` in a user's own test: silent where the kernel is right, the verdict's words where it is wrong."""

import pyro
import pyro.distributions as dist
import pytest
import torch

from crosscheck import InputError, assert_right

Y = torch.tensor([1.2, 0.3, 2.2, 1.9])


def model(y):
    mu = pyro.sample("mu", dist.Normal(1.0, 2.0))
    with pyro.plate("people", len(y)):
        pyro.sample("y", dist.Normal(mu, 0.5), obs=y)


def moved(weight):
    def transition(latents, y):
        """The conditional of a normal mean; the data count `weight` times."""
        precision = 1 / 4 + weight * len(y) / 0.25
        return {"mu": (1 / 4 + weight * y.sum() / 0.25) / precision + torch.randn(()) / precision**0.5}

    return transition


def test_a_right_kernel_passes_and_a_wrong_one_is_told():
    assert_right(model, (Y,), kernel=moved(1), budget=60)
    with pytest.raises(AssertionError, match="transition is WRONG"):
        assert_right(model, (Y,), kernel=moved(2), budget=60)


def test_one_thing_is_judged():
    with pytest.raises(InputError, match="give kernel=, or guide="):
        assert_right(model, (Y,))
