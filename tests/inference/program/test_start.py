"""Where NUTS begins and what it learns, on posteriors known in closed form."""

import numpy as np
import pytest
import torch

from inference import load
from inference.diagnostics import ess, worst_rhat
from inference.drive import drive
from inference.job import Plan
from inference.program import guide_normal_pyro
from inference.program.parts import density, guided, pathfinder, potential
from models.batched import seeded
from models.summed import summed
from tests.support.programs import HEAD, NORMAL, SCHOOLS, program

SURE = 5.5  # standard errors: a false alarm in 2.6e7 for one number
COLLINEAR = HEAD + '''
def model(x, y):
    beta = pyro.sample("beta", dist.Normal(0., 1000.).expand([3]).to_event(1))
    pyro.sample("y", dist.Normal(beta[0] + beta[1] * x + beta[2] * x * (x > 100), 18.).to_event(1), obs=y)

def data():
    torch.manual_seed(1)
    x = 100 + 15 * torch.randn(80)
    return x, 26 + 0.6 * x + 18 * torch.randn(80)
'''
ASKS = HEAD + '''
def model(y):
    mu = pyro.sample("mu", dist.Normal(0., 1.))
    sd = 1. if mu > 0 else 2.
    pyro.sample("y", dist.Normal(mu, sd).expand([2]).to_event(1), obs=y)

def data():
    return torch.tensor([1.2, 0.3])
'''
FLOAT = ASKS.replace("1. if mu > 0 else 2.", "1. + float(mu) ** 2")
NECK = HEAD + '''
def model(y):
    v = pyro.sample("v", dist.Normal(0., 3.))
    x = pyro.sample("x", dist.Normal(0., (v / 2).exp()).expand([9]).to_event(1))
    pyro.sample("y", dist.Normal(v, 30.), obs=y)

def data():
    return (torch.tensor(0.),)
'''


def regression(model) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of beta given y, (X'X / 18^2 + I / 1000^2)^-1."""
    x, y = (a.numpy() for a in model.arguments.args)
    X = np.stack([np.ones(len(x)), x, x * (x > 100)], 1)
    covariance = np.linalg.inv(X.T @ X / 18**2 + np.eye(3) / 1000**2)
    return covariance @ X.T @ y / 18**2, covariance


def started(model) -> pathfinder.Begun:
    with seeded(torch.Generator().manual_seed(0)):
        found = pathfinder.begin(potential.log_density(model), model.coordinates.size, np.random.default_rng(0))
    assert found is not None
    return found


def test_the_start_is_a_draw_of_a_normal_posterior_with_its_covariance(tmp_path):
    """Chi squared of 3 degrees is above 40 with probability 1e-8."""
    model = program(tmp_path, COLLINEAR)
    mean, covariance = regression(model)
    found = started(model)
    ratios = np.linalg.eigvals(np.linalg.solve(covariance, found.covariance)).real
    assert ratios.min() > 0.8 and ratios.max() < 1.25
    assert (found.u - mean) @ np.linalg.solve(covariance, found.u - mean) < 40


def test_a_posterior_with_scales_of_hundreds_is_sampled(tmp_path):
    model = program(tmp_path, COLLINEAR)
    mean, covariance = regression(model)
    found = drive(load.method("program", "nuts_pyro"), model, model.data, Plan(160, 2, 60, seed=1), {"warmup": 60})
    beta = found.draws["beta"]
    assert (worst_rhat(beta) or 9.0) < 1.1
    for k in range(3):
        for x, value in ((beta[..., k], mean[k]), ((beta[..., k] - mean[k]) ** 2, covariance[k, k])):
            assert abs(x.mean() - value) < SURE * x.std() / float(ess(x[..., None], "mean")[0]) ** 0.5


@pytest.mark.parametrize("text", [NORMAL, SCHOOLS, COLLINEAR])
def test_the_trace_is_the_program(tmp_path, text):
    model = program(tmp_path, text)
    with seeded(torch.Generator()):
        quick, plain = potential.log_density(model), density.of_one(model, model.data)
        assert {"again", "by_entry"} & {cell.cell_contents.__name__ for cell in quick.__closure__ or ()}
        for u in 3 * torch.randn(5, model.coordinates.size, generator=torch.Generator().manual_seed(4)).double():
            one, other = (potential.value_and_gradient(f, u.numpy()) for f in (quick, plain))
            assert np.allclose(one[0], other[0], rtol=1e-10) and np.allclose(one[1], other[1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("text", [ASKS, FLOAT])
def test_a_program_that_asks_for_values_is_not_replayed(tmp_path, text):
    model = program(tmp_path, text)
    with seeded(torch.Generator()):
        quick, plain = potential.log_density(model), density.of_one(model, model.data)
        for at in (-7.0, 7.0):
            u = torch.tensor([at], dtype=torch.float64)
            assert float(quick(u)) == float(plain(u))


def test_divergences_are_in_the_trace(tmp_path):
    """Neal's funnel, whose neck no step size fits."""
    model = program(tmp_path, NECK)
    found = drive(load.method("program", "nuts_pyro"), model, model.data, Plan(80, 1, 20, seed=1),
                  {"warmup": 20, "max_tree_depth": 5})
    assert found.trace["diverging"][:, :20].sum() == 0 < found.trace["diverging"].sum()


TWO = HEAD + '''
def model(y):
    with pyro.plate("components", 2):
        mu = pyro.sample("mu", dist.Normal(0., 5.))
    with pyro.plate("numbers", len(y)):
        z = pyro.sample("z", dist.Bernoulli(0.5))
        pyro.sample("y", dist.Normal(mu[z.long()], 0.5), obs=y)

def data():
    return torch.tensor([-3.2, -2.7, -3.1, 2.8, 3.3, 3.0])
'''


def test_a_guide_of_a_mixture_begins_with_its_components_apart(tmp_path):
    """By the data one is at -3 and one at 3, each with an sd of 0.3; the median of the prior has both at about 0."""
    found = summed(program(tmp_path, TWO), "a guide")
    with guided.in_pyro(torch.Generator().manual_seed(0)):
        start = guided.begun(guide_normal_pyro.guide, found)["start"]
        made = guided.make(guide_normal_pyro.guide, found, found.data, "a guide", {"start": start})
    locations, = (x for name, x in made.store["params"].items() if name.endswith("locs.mu"))
    assert sorted(locations.tolist()) == pytest.approx([-3.0, 3.0], abs=6 * 0.3)
    assert guided.begun(lambda start, y: None, found) == {}  # an argument of the model's own
