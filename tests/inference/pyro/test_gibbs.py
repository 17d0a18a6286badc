"""Gibbs by blocks inside Pyro: against quadrature, against the hand-written sampler, and wrong blocks named."""

import math
import os
import signal
import warnings
from functools import partial

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import HMC, MCMC, NUTS, RandomWalkKernel

from errors import InputError, Interrupted
from inference import load
from inference.drive import drive
from inference.factorization import composite_gibbs_pyro, row_gibbs
from inference.job import Plan, generator
from inference.pyro import from_kernel
from inference.pyro.gibbs import Gibbs
from tests.models.test_ladder import bounded, problem

DATA = torch.tensor([0.3, 1.9, 1.1, 2.4, 0.2]).double()


pytestmark = pytest.mark.usefixtures("one_thread")


def normal_model(data):
    """Mean and variance of a normal: the textbook's case for Gibbs."""
    zero = data.new_zeros(())
    mean = pyro.sample("mean", dist.Normal(zero, zero + 2))
    variance = pyro.sample("variance", dist.InverseGamma(zero + 3, zero + 2))
    with pyro.plate("data", len(data)):
        pyro.sample("x", dist.Normal(mean, variance.sqrt()), obs=data)


def draw_variance(values, data):
    rate = 2 + 0.5 * ((data - values["mean"]) ** 2).sum()
    return {"variance": rate / torch._standard_gamma(rate.new_tensor(3 + len(data) / 2))}


def draw_mean(values, data):
    precision = 0.25 + len(data) / values["variance"]
    return {"mean": data.sum() / values["variance"] / precision + torch.randn(()).double() / precision.sqrt()}


def moments():
    """E[mean], E[mean^2], E[log variance] by quadrature."""
    m, v = np.meshgrid(np.linspace(-6, 8, 1401), np.exp(np.linspace(-4, 5, 1801)))
    x = DATA.numpy()
    log = (-m**2 / 8 - 4 * np.log(v) - 2 / v - 0.5 * len(x) * np.log(v)
           - sum((one - m) ** 2 for one in x) / (2 * v) + np.log(v))  # the last: dv = v d log v
    weight = np.exp(log - log.max())
    return [float((weight * f).sum() / weight.sum()) for f in (m, m**2, np.log(v))]


@pytest.mark.parametrize("name, blocks", [
    ("two conditionals", [(draw_mean, ["mean"]), (draw_variance, ["variance"])]),
    pytest.param("NUTS and a conditional", [(partial(NUTS, max_tree_depth=3), ["mean"]),
                                            (draw_variance, ["variance"])], marks=pytest.mark.slow),
    pytest.param("a conditional and HMC", [(draw_mean, ["mean"]), (partial(HMC, step_size=0.5, num_steps=3),
                                                                   ["variance"])], marks=pytest.mark.slow),
    pytest.param("a walk and a conditional", [(partial(RandomWalkKernel, init_step_size=1.5), ["mean"]),
                                              (draw_variance, ["variance"])], marks=pytest.mark.slow),
])
def test_against_quadrature(name, blocks):
    """20 batch means; t scores below 8.5: false alarm 7e-8 each by Student's t with 19 degrees."""
    pyro.set_rng_seed(1)
    run = MCMC(Gibbs(normal_model, blocks), num_samples=600, warmup_steps=60, disable_progbar=True)
    run.run(DATA)
    got = run.get_samples()
    for values, exact in zip((got["mean"], got["mean"] ** 2, got["variance"].log()), moments(), strict=True):
        batches = values.reshape(20, -1).mean(1)
        assert abs(float(batches.mean()) - exact) < 8.5 * float(batches.std()) / math.sqrt(20)


def test_sites_to_save_may_be_named_in_any_order():
    """Pyro cuts its draws up in alphabetical order."""
    found = []
    for names in (None, ["variance", "mean"], ["mean"]):
        pyro.set_rng_seed(1)
        run = MCMC(Gibbs(normal_model, [(draw_mean, ["mean"]), (draw_variance, ["variance"])]), num_samples=5,
                   warmup_steps=2, disable_progbar=True, save_params=names)
        run.run(DATA)
        found.append(run.get_samples())
    assert found[0].keys() == found[1].keys() == {"mean", "variance"} and found[2].keys() == {"mean"}
    assert all(torch.equal(found[0][name], some[name]) for some in found[1:] for name in some)
    with pytest.raises(InputError, match="unknown name in save_params 'men': did you mean 'mean'"):
        MCMC(Gibbs(normal_model, [(draw_mean, ["mean"]), (draw_variance, ["variance"])]), num_samples=1,
             save_params=["men"]).run(DATA)


def test_one_block_of_rows_is_row_gibbs_to_the_byte():
    model, data, _, _ = problem("plain")
    pyro.set_rng_seed(5)
    start = model.prior(generator(0, "start"))
    state = row_gibbs.State(start["U"], start["V"], "compiled")
    run = MCMC(composite_gibbs_pyro.kernel(model), num_samples=3, warmup_steps=0, initial_params=start,
               disable_progbar=True)
    kernel = run.sampler.kernel
    setup = kernel.setup

    def seeded(*args):
        setup(*args)
        pyro.set_rng_seed(6)

    kernel.setup = seeded
    run.run(data)
    pyro.set_rng_seed(6)
    for sweep in range(3):
        state, _ = row_gibbs.step(torch.default_generator, state, model, data)
        assert torch.equal(run.get_samples()["U"][sweep], state.U)


@pytest.mark.parametrize("name", [pytest.param("noise", marks=pytest.mark.slow), "noise+hierarchical+biases"])
def test_a_sweep_leaves_the_joint_distribution_alone(name):
    """As for the sampler by hand: 80 replicates, 6 standard errors, false alarm 2e-9 a function."""
    model, _, _, rng = problem(name, K=1)
    changes = []
    for _ in range(80):
        old = model.prior(rng)
        data = model.simulate(rng, old)
        state = composite_gibbs_pyro.start(rng, model, data, old)
        new, _ = composite_gibbs_pyro.step(rng, state, model, data)
        assert all(torch.allclose(state.latents[site], x, rtol=1e-6) for site, x in old.items())
        changes.append(torch.stack(bounded(new.latents, model, data)) - torch.stack(bounded(old, model, data)))
    table = torch.stack(changes)
    z = table.mean(0) / (table.std(0) / math.sqrt(len(table)) + 1e-12)
    assert float(z.abs().max()) < 6, z


@pytest.mark.slow
def test_noise_by_nuts_and_by_its_conditional_agree():
    """Means of log sigma^2, 20 batches each, difference below 8 standard errors: false alarm below 1e-8."""
    model, data, _, _ = problem("noise", K=1)
    ends = {}
    for noise_by in ("conditional", "nuts"):
        result = drive(load.method("factorization", "composite_gibbs_pyro"), model, data,
                       Plan(240, 1, 40), {"noise_by": noise_by, "warmup": 40})
        batches = np.log(result.draws["sigma2"][0]).reshape(20, -1).mean(1)
        ends[noise_by] = batches.mean(), batches.var(ddof=1) / 20
    (a, va), (b, vb) = ends.values()
    assert abs(a - b) < 8 * math.sqrt(va + vb)


def test_resumed_equals_uninterrupted(tmp_path):
    model, data, _, _ = problem("noise+hierarchical", K=1)
    method = load.method("factorization", "composite_gibbs_pyro")
    plan, options = Plan(12, 1, 6), {"noise_by": "nuts", "warmup": 6}
    whole = drive(method, model, data, plan, options)

    def stop_at_4(step, _):
        if step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        drive(method, model, data, plan, options, save_to=tmp_path / "run.npz", on_step=stop_at_4)
    from_kernel._alive.clear()
    resumed = drive(method, model, data, plan, options, save_to=tmp_path / "run.npz")
    assert all(np.array_equal(whole.draws[site], resumed.draws[site]) for site in model.sites)


def test_chains_initial_params_and_diagnostics(monkeypatch, capsys):
    monkeypatch.setattr("pyro.infer.mcmc.api.mp.cpu_count", lambda: 1)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # Pyro shows no bar where this is set
    first = {"mean": torch.tensor([0.0, 1.0]).double(), "variance": torch.zeros(2).double()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = MCMC(Gibbs(normal_model, [(NUTS, ["mean"]), (draw_variance, ["variance"])]), num_samples=20,
                   warmup_steps=5, num_chains=2, initial_params=first)
    run.run(DATA)
    got = run.get_samples(group_by_chain=True)
    assert got["variance"].shape == (2, 20) and bool((got["variance"] > 0).all())
    assert set(run.diagnostics()["mean acceptance rate"]) == {"chain 0", "chain 1"}
    assert "mean step size" in capsys.readouterr().err


@pytest.mark.parametrize("blocks, message", [
    ([(draw_mean, ["mean"])], "no block of Gibbs moves the site variance"),
    ([(draw_mean, ["mean"]), (draw_variance, ["variance", "mean"])], "the site mean is in two blocks"),
    ([(draw_mean, ["mean"]), (draw_variance, ["sigma"])], "names the site sigma: the model's latent sites are mean, v"),
    ([(draw_mean, ["mean"]), (lambda values, data: {}, ["variance"])], "forgets the site variance"),
    ([(draw_mean, ["mean"]), (lambda values, data: {"variance": data}, ["variance"])], "changed the shape of site var"),
    ([(draw_mean, ["mean"]), (lambda values, data: {"variance": data[0] / 0}, ["variance"])], "returned NaN or inf"),
])
def test_wrong_blocks_are_named(blocks, message):
    with pytest.raises(InputError, match=message):
        MCMC(Gibbs(normal_model, blocks), num_samples=2, warmup_steps=0, disable_progbar=True).run(DATA)


def test_a_model_that_subsamples_and_a_wrong_option_are_refused():
    def subsampled(data):
        mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
        with pyro.plate("some", len(data), 2) as index:
            pyro.sample("x", dist.Normal(mean, 1.0), obs=data[index])

    with pytest.raises(InputError, match="the plate some of the model takes a subsample"):
        MCMC(Gibbs(subsampled, [(NUTS, ["mean"])]), num_samples=2, disable_progbar=True).run(DATA.float())
    model, data, _, rng = problem("noise")
    with pytest.raises(InputError, match="unknown noise_by of composite_gibbs_pyro 'hmc'"):
        composite_gibbs_pyro.init(rng, model, data, noise_by="hmc")  # type: ignore[arg-type]
