"""RowGibbs under Pyro's own drivers: against its hand-written twin, byte for byte, and at every trap of the drivers."""

import pickle
import warnings

import pyro
import pytest
import torch
from pyro.infer import MCMC
from pyro.infer.mcmc import StreamingMCMC, api
from torch.testing import assert_close

from errors import InputError
from inference import load
from inference.drive import drive
from inference.factorization import row_gibbs
from inference.factorization.kernel_row_gibbs_pyro import RowGibbs
from inference.job import Plan
from models.factorization import Factorization
from models.ratings import Ratings


@pytest.fixture(scope="module")
def case() -> tuple[Factorization, Ratings]:
    rng = torch.Generator().manual_seed(0)
    user, item = (torch.rand(7, 5, generator=rng) < 0.6).nonzero(as_tuple=True)
    model = Factorization(7, 5, 2, prior_variance=1.5, noise_variance=0.8, pairs=(user, item))
    return model, model.simulate(rng, model.prior(rng))


def mcmc(kernel, data, driver=MCMC, seed=3, **more):
    pyro.set_rng_seed(seed)
    options = {"num_samples": 6, "warmup_steps": 2, "disable_progbar": True} | more
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "num_chains=")
        run = driver(kernel, **options)
    run.run(data)
    return run


def starts(model, chains):
    rng = torch.Generator().manual_seed(8)
    prior = [model.prior(rng) for _ in range(chains)]
    return {site: torch.stack([p[site] for p in prior]) for site in prior[0]}


def test_draws_are_those_of_the_hand_written_twin(case):
    model, data = case
    samples = mcmc(RowGibbs(model), data).get_samples()
    pyro.set_rng_seed(3)
    state = row_gibbs.init(torch.default_generator, model, data)
    for sweep in range(8):
        state, _ = row_gibbs.step(torch.default_generator, state, model, data)
        if sweep >= 2:
            assert torch.equal(samples["U"][sweep - 2], state.U) and torch.equal(samples["V"][sweep - 2], state.V)


def test_through_our_loop_it_is_a_method_like_any_other(case):
    model, data = case
    before = torch.get_rng_state()
    a, b = (drive(load.method("factorization", "kernel_row_gibbs_pyro"), model, data, Plan(steps=6, chains=2, seed=9))
            for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert (a.draws["U"] == b.draws["U"]).all() and not (a.draws["U"][0] == a.draws["U"][1]).any()
    assert a.draws["V"].shape == (2, 6, 5, 2)


@pytest.mark.parametrize("parallel", [False, True])
def test_initial_params_of_every_chain_are_where_it_starts(case, parallel, monkeypatch):
    """The first sweep draws U from V alone: equal V and noise give equal U, wherever U was."""
    monkeypatch.setattr(api.mp, "cpu_count", lambda: 8 if parallel else 1)
    model, data = case
    first = starts(model, 2)
    run = mcmc(RowGibbs(model, seed=4), data, num_chains=2, num_samples=1, warmup_steps=0, initial_params=first)
    again = mcmc(RowGibbs(model, seed=4), data, num_chains=2, num_samples=1, warmup_steps=0,
                 initial_params={"U": 0 * first["U"], "V": first["V"]})
    other = mcmc(RowGibbs(model, seed=4), data, num_chains=2, num_samples=1, warmup_steps=0,
                 initial_params={"U": first["U"], "V": first["V"].flip(0)})
    assert torch.equal(run.get_samples()["V"], again.get_samples()["V"])
    assert not torch.isclose(run.get_samples()["U"], other.get_samples()["U"]).any()


def test_with_a_seed_chains_in_one_process_are_those_in_several(case, monkeypatch):
    model, data = case
    runs = []
    for cpus in (8, 1):  # Pyro draws in parallel only if there are more than chains
        monkeypatch.setattr(api.mp, "cpu_count", lambda cpus=cpus: cpus)
        runs.append(mcmc(RowGibbs(model, seed=11), data, seed=cpus, num_chains=2).get_samples(group_by_chain=True))
    assert torch.equal(runs[0]["U"], runs[1]["U"]) and torch.equal(runs[0]["V"], runs[1]["V"])
    assert not torch.isclose(runs[0]["U"][0], runs[0]["U"][1]).any()


def test_sequential_chains_start_anew_after_cleanup(case, monkeypatch):
    """`cleanup` comes twice a chain; the second chain must not go on from the first, nor from its start."""
    monkeypatch.setattr(api.mp, "cpu_count", lambda: 1)
    model, data = case
    seen = []

    class Watched(RowGibbs):
        def setup(self, *args, **kwargs):
            super().setup(*args, **kwargs)
            seen.append((self.initial_params or {})["V"])

    kernel = Watched(model)
    mcmc(kernel, data, num_chains=2)
    assert len(seen) == 2 and not torch.isclose(seen[0], seen[1]).any()
    kernel.initial_params = model.prior(torch.Generator().manual_seed(1))
    kernel.cleanup()
    kernel.cleanup()
    mcmc(kernel, data)
    assert not torch.isclose(seen[2], model.prior(torch.Generator().manual_seed(1))["V"]).any()


@pytest.mark.parametrize("driver", [MCMC, StreamingMCMC])
def test_save_params_in_any_order(case, driver):
    model, data = case

    def means(names):
        run = mcmc(RowGibbs(model), data, driver, save_params=names)
        if driver is MCMC:
            return {site: x.mean(0) for site, x in run.get_samples().items()}
        return {site: s["mean"] for (_, site), s in run.get_statistics().items()}

    whole, turned, part = means(["U", "V"]), means(["V", "U"]), means(["V"])
    assert_close(turned, whole)
    assert_close(part, {"V": whole["V"]})


def test_streaming_gives_the_moments_of_the_draws(case):
    model, data = case
    draws = mcmc(RowGibbs(model), data, save_params=["prediction"]).get_samples()["prediction"]
    stream = mcmc(RowGibbs(model), data, StreamingMCMC, save_params=["prediction"]).get_statistics()[0, "prediction"]
    assert stream["count"] == 6
    assert_close(stream["mean"], draws.mean(0))
    assert_close(stream["variance"], draws.var(0))


@pytest.mark.parametrize("driver", [MCMC, StreamingMCMC])
def test_diagnostics_of_what_is_comparable(case, driver, monkeypatch):
    monkeypatch.setattr(api.mp, "cpu_count", lambda: 1)
    model, data = case
    run = mcmc(RowGibbs(model), data, driver, num_chains=2, num_samples=40, save_params=["prediction", "log_joint"])
    found = run.diagnostics()
    r_hat = found["prediction"]["r_hat"]
    assert r_hat.shape == (len(data),) and float(r_hat.max()) < 2 and found["log_joint"]["r_hat"].shape == ()
    assert found["sweeps"] == {"chain 0": 42, "chain 1": 42}


def test_derived_values_are_the_models(case):
    model, data = case
    got = mcmc(RowGibbs(model), data, save_params=["log_joint", "prediction", "U", "V"]).get_samples()
    assert_close(got["log_joint"], model.log_joint({"U": got["U"], "V": got["V"]}, data))
    assert_close(got["prediction"], model.quantities({"U": got["U"], "V": got["V"]})["prediction"])


def test_progress_bar_counts_warm_up_and_shows_the_log_joint(case, capsys, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # Pyro shows no bar where this is set
    model, data = case
    mcmc(RowGibbs(model), data, disable_progbar=False, save_params=["log_joint"])
    shown = capsys.readouterr().err
    assert "8/8" in shown and "log_joint=" in shown


def test_it_can_be_sent_to_another_process_and_hooked(case):
    model, data = case
    kernel = pickle.loads(pickle.dumps(RowGibbs(model, seed=2)))
    stages = []
    mcmc(kernel, data, hook_fn=lambda kernel, params, stage, i: stages.append((stage, i)))
    assert stages == [("Warmup", 0), ("Warmup", 1), *(("Sample", i) for i in range(6))]


def test_wrong_use_is_one_sentence(case):
    model, data = case
    with pytest.raises(InputError, match=r"RowGibbs samples a models.factorization.Factorization, not a function"):
        RowGibbs(lambda data: None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="run on one argument, the ratings"):
        mcmc(RowGibbs(model), data.rating)
    with pytest.raises(InputError, match="unknown name in save_params 'W'"):
        mcmc(RowGibbs(model), data, save_params=["W"])
    with pytest.raises(InputError, match="no `pairs` to predict at"):
        mcmc(RowGibbs(Factorization(7, 5, 2)), data, save_params=["prediction"])
    with pytest.raises(InputError, match="lacks the site V"):
        mcmc(RowGibbs(model), data, initial_params={"U": torch.zeros(7, 2)})
    with pytest.raises(InputError, match=r"site U has the shape \(2, 7\): it must be \(7, 2\)"):
        mcmc(RowGibbs(model), data, initial_params={"U": torch.zeros(2, 7), "V": torch.zeros(5, 2)})
    with pytest.raises(InputError, match="site V holds NaN"):
        mcmc(RowGibbs(model), data, initial_params={"U": torch.zeros(7, 2), "V": torch.full((5, 2), torch.nan)})
