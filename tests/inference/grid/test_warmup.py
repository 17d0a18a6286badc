"""Every sampler of grids with a warm-up: what it averaged before is forgotten, and nothing else.

On 2 x 3 pixels of weak coupling, 3,000 sweeps after warm-up: a marginal is within 0.1 of enumeration, which is eight
standard errors or more of 1,600 effective draws, a false alarm with probability below 1e-12; seeds are fixed.
"""

import numpy as np
import pytest
import torch

import crosscheck as cc
from inference import load
from inference.drive import drive
from inference.job import Plan
from inference.method import Family

SAMPLERS = [name for name in load.names("grid") if load.method("grid", name).family is Family.MCMC]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", SAMPLERS)
def test_marginals_after_warm_up(name):
    image = torch.nn.functional.one_hot(torch.tensor([[0, 1, 0], [1, 1, 0]]), 2)
    model = cc.GridMRF.potts(image, 0.8, (0.5, 0.0))
    method, steps = load.method("grid", name), 300 if name == "gibbs_pgmpy" else 3500
    found = drive(method, model, None, Plan(steps, warmup=steps // 7, seed=1)).expected["labels"]
    exact = cc.run("brute_force", model).expected["labels"]
    assert np.allclose(found.sum(-1), 1, atol=1e-12)
    assert np.abs(found - exact).max() < (0.2 if name == "gibbs_pgmpy" else 0.1)
    assert np.abs(exact - 0.5).max() > 0.15  # uniform would not pass
