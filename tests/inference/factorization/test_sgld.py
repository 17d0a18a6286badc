"""Stochastic-gradient Langevin: its gradient against autograd, its bias against quadrature, what --check says of it."""

import math

import numpy as np
import pytest
import torch

from checks.verdict import Outcome, Verdict
from errors import InputError
from inference import load
from inference.engine import one_thread
from inference.factorization import sgld
from models.factorization import Factorization
from models.ratings import Ratings
from tests.support.some_factorization import problem


@pytest.fixture(autouse=True)
def quickly():
    with one_thread():
        yield


def test_the_gradient_of_sgld_is_unbiased_and_has_no_noise_at_the_centre():
    model, data, rng = problem()
    latents = {site: x.requires_grad_() for site, x in model.prior(rng).items()}
    exact = torch.autograd.grad(model.log_joint(latents, data), list(latents.values()))
    U, V = (x.detach() for x in latents.values())
    state = sgld.start(rng, model, data, model.prior(rng))
    each = [sgld.gradient(state, U, V, model, data, torch.tensor([n])) for n in range(len(data))]
    for side in range(2):
        torch.testing.assert_close(sum(g[side] for g in each) / len(data), exact[side], rtol=1e-9, atol=1e-9)
    c_U, c_V = state.centre_U, state.centre_V
    at_centre = [sgld.gradient(state, c_U, c_V, model, data, torch.tensor([n]))[0] for n in (0, 9)]
    assert torch.equal(at_centre[0], at_centre[1])


@pytest.mark.slow
def test_the_bias_of_sgld_is_there_and_goes_with_the_step():
    """The mean of (r - u v)^2 on 40,000 pairs with one rating each, against quadrature; six standard errors (1e-9)."""
    n = 40_000
    own = torch.arange(n)
    model = Factorization(n, n, 1, prior_variance=1.5, noise_variance=0.5)
    data = Ratings(own, own, torch.full((n,), 1.2, dtype=torch.float64), n, n)
    grid = np.linspace(-9, 9, 1501)
    u, v = np.meshgrid(grid, grid)
    weight = np.exp(-(u**2 + v**2) / 3 - (1.2 - u * v) ** 2)
    exact, off = float((weight * (1.2 - u * v) ** 2).sum() / weight.sum()), {}
    for size, steps in ((0.2, 100), (0.02, 400)):
        rng = torch.Generator().manual_seed(0)
        state = sgld.init(rng, model, data, step_size=size, batch_size=n)
        for _ in range(steps):
            state, _ = sgld.step(rng, state, model, data)
        error = (1.2 - (state.U * state.V)[:, 0]).square()
        off[size] = float(error.mean() - exact) / float(error.std() / math.sqrt(n))
    assert off[0.2] > 6 and off[0.02] < 6, off
    assert state.batches == 400 and sgld.EXACT is False


def test_a_bias_by_design_is_told_and_fails_all_of_none(tmp_path, capsys, monkeypatch):
    """`--check sgld` is wrong and 1; among all it is listed, and the status is that of the others."""
    from checks.asked import of_method
    from run import guarded

    def judge(kernel, *_, **__):
        method = kernel.method
        outcome = Outcome.WRONG if method.name == "sgld" else Outcome.RIGHT
        return Verdict(method.name, outcome, 0.001, ["too wide"] * (method.name == "sgld"),
                       tested=[{"problem": "a", "replicates": 500, "functions": 9}])

    both = [of_method(load.method("factorization", name), "factorization", None) for name in ("entry_gibbs", "sgld")]
    monkeypatch.setattr("checks.door.judge", judge)
    monkeypatch.setattr("commands.check.everything", lambda: both)
    assert guarded(["--check", "sgld", "--out", str(tmp_path / "a")]) == 1
    assert "sgld is approximate, as its file says (EXACT = False): too wide" in capsys.readouterr().out
    assert guarded(["--check", "all", "--out", str(tmp_path / "b")]) == 0
    assert "wrong, by design" in capsys.readouterr().out


def test_sgld_says_when_it_diverges():
    model, data, rng = problem()
    state = sgld.init(rng, model, data, step_size=200.0)
    with pytest.raises(InputError, match=r"sgld diverged within .* try a step_size below 200"):
        for _ in range(50):
            state, _ = sgld.step(rng, state, model, data)
