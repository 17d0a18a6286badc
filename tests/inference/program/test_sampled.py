"""Chains and guides on programs whose posterior is known."""

import math

import numpy as np
import pytest

from inference import load
from inference.diagnostics import ess
from inference.drive import drive
from inference.job import Plan
from inference.program.parts.moments import sd_of
from tests.support.programs import HEAD, NORMAL, SWITCH, normal_posterior, program

SURE = 5.5  # standard errors: a false alarm in 2.6e7 for one number


def chains(name: str, model, steps: int, **options):
    method = load.method("program", name)
    return drive(method, model, model.data, Plan(steps, chains=2, warmup=steps // 5, seed=3),
                 {"warmup": steps // 5, **options})


def agrees(draws: np.ndarray, mean: float) -> bool:
    effective = float(ess(draws[..., None], "mean")[0])
    return abs(draws.mean() - mean) < SURE * draws.std() / math.sqrt(effective)


@pytest.mark.parametrize(("name", "steps"), [("nuts_pyro", 150), ("hmc_pyro", 150),
                                             pytest.param("random_walk_pyro", 1200, marks=pytest.mark.slow)])
def test_pyros_kernels_on_a_normal_mean(tmp_path, name, steps):
    model = program(tmp_path, NORMAL)
    mean, sd, _ = normal_posterior(model.data["y"])
    found = chains(name, model, steps)
    assert agrees(found.draws["mu"], mean) and agrees((found.draws["mu"] - mean) ** 2, sd**2)


@pytest.mark.slow
def test_composite_gibbs_against_enumeration(tmp_path):
    model = program(tmp_path, SWITCH)
    exact = drive(load.method("program", "enumeration"), model, model.data, Plan(1)).expected
    found = chains("composite_gibbs_pyro", model, 250)
    assert all(agrees(found.draws["k"][..., n], float(exact["k"][n])) for n in range(3))
    assert agrees(found.draws["z"], float(exact["z"]))


MIXTURE = HEAD + '''
def model(y):
    mu = pyro.sample("mu", dist.Normal(0., 2.))
    with pyro.plate("numbers", len(y)):
        z = pyro.sample("z", dist.Bernoulli(0.3))
        pyro.sample("y", dist.Normal(mu + 2 * z, 0.8), obs=y)

def data():
    return torch.tensor([-0.4, 2.2, 1.3, 0.1])
'''


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    """Of four numbers, and its posterior by quadrature for each of the 16 values of z."""
    model = program(tmp_path_factory.mktemp("mixture"), MIXTURE)
    return model, drive(load.method("program", "quadrature"), model, model.data, Plan(1))


def test_nuts_sums_discrete_sites_out_and_draws_them(mixture):
    model, exact = mixture
    found = chains("nuts_pyro", model, 200)
    assert agrees(found.draws["mu"], float(exact.expected["mu"]))
    assert all(agrees(found.draws["z"][..., n], float(exact.expected["z"][n])) for n in range(4))


def test_a_guide_is_fitted_with_discrete_sites_summed_out(mixture):
    """Its ELBO is no more than log p(y), and close, mu being nearly normal; 6 standard errors of 1,000 draws of z."""
    model, exact = mixture
    found = drive(load.method("program", "guide_normal_pyro"), model, model.data, Plan(30, draws=1000, seed=2))
    assert exact.log_evidence - 0.2 < found.log_evidence < exact.log_evidence + 0.02
    assert abs(float(found.expected["mu"]) - float(exact.expected["mu"])) < 0.3 * float(exact.expected[sd_of("mu")])
    assert np.abs(found.draws["z"].mean((0, 1)) - exact.expected["z"]).max() < 6 * 0.5 / math.sqrt(1000) + 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", ["guide_normal_pyro", "guide_multivariate_normal_pyro", "guide_by_site_pyro"])
def test_guides_that_hold_the_posterior_reach_it(tmp_path, name):
    """The ELBO of the right q is log p(y) whatever the draws; its gradient has no noise there."""
    model = program(tmp_path, NORMAL)
    mean, sd, log_p = normal_posterior(model.data["y"])
    found = drive(load.method("program", name), model, model.data, Plan(60, draws=500, seed=2))
    assert found.log_evidence is not None and log_p - 0.05 < found.log_evidence <= log_p + 1e-6
    assert abs(float(found.expected["mu"]) - mean) < 0.3 * sd
    assert abs(math.log(found.draws["mu"].std() / sd)) < 0.3


def test_a_point_is_the_mode(tmp_path):
    model = program(tmp_path, NORMAL)
    found = drive(load.method("program", "guide_delta_pyro"), model, model.data, Plan(60, seed=2))
    assert found.family == "point" and abs(float(found.expected["mu"]) - normal_posterior(model.data["y"])[0]) < 0.01


def test_a_stopped_fit_goes_on_to_the_same_bytes(tmp_path):
    model, method = program(tmp_path, NORMAL), load.method("program", "guide_normal_pyro")
    whole = drive(method, model, model.data, Plan(6, draws=5, seed=2))

    def stop(step, _):
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drive(method, model, model.data, Plan(6, draws=5, seed=2), save_to=tmp_path / "c.npz", save_every=-1,
              on_step=stop)
    again = drive(method, model, model.data, Plan(6, draws=5, seed=2), save_to=tmp_path / "c.npz")
    assert np.array_equal(whole.draws["mu"], again.draws["mu"]) and np.array_equal(
        whole.trace["elbo"], again.trace["elbo"])
