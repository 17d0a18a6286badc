"""A guide that draws where the model has no density is wrong, and one that leaves a part out is told so."""

import math
from types import SimpleNamespace

import pyro.distributions as dist
import pytest
import torch

from checks.guides import support
from checks.kernels.kernel import Broken
from tests.support.programs import HEAD, program

SCALE = HEAD + '''
def model(y):
    s = pyro.sample("s", dist.HalfNormal(2.))
    pyro.sample("y", dist.Normal(0., s), obs=y)

def data():
    return torch.tensor(1.2)
'''


def test_draws_outside_the_support_are_wrong_and_those_on_its_border_are_not(tmp_path):
    model = program(tmp_path, SCALE)
    support.check(model, {"s": torch.tensor([0.0, 1.0, 3.0]).double()})
    with pytest.raises(Broken, match="25% of its draws of s are outside what the model has a density for"):
        support.check(model, {"s": torch.tensor([0.1, 1.0, -0.2, 3.0]).double()})


def test_a_part_of_the_support_is_told_with_the_priors_share(tmp_path):
    """P(|N(0, 2)| < 1) = erf(1 / (2 sqrt 2)) = 0.383, of 400 draws with an error of 0.024: six of them."""
    model, rng = program(tmp_path, SCALE), torch.Generator().manual_seed(0)
    told = support.never(rng, model, {"s": {"fn": dist.Beta(2.0, 2.0)}})
    share = float(told[0].partition("the prior has ")[2].partition("%")[0]) / 100
    assert told[0].startswith("poor: it draws s from") and abs(share - math.erf(1 / math.sqrt(8))) < 6 * 0.024
    for whole in (dist.LogNormal(0.0, 1.0), dist.Uniform(0.0, torch.tensor(1.0, requires_grad=True)), None):
        assert support.never(rng, model, {"s": {"fn": whole or SimpleNamespace()}}) == []
