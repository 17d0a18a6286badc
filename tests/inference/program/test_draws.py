"""What methods for a program draw, point by point: the noise is given, so that nothing is left to chance."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from inference import load
from inference.program import importance_sampling, laplace, own, quadrature
from inference.program.guides import from_guide
from inference.program.parts import psis, states
from inference.user_file import import_file
from tests.support.programs import CHAIN, HEAD, NORMAL, program

RNG = torch.Generator()


def posterior_covariance() -> torch.Tensor:
    """Of CHAIN: x_t given x_(t-1) is N(0.8 x_(t-1), 1), y_t is N(x_t, 1/4)."""
    step = torch.eye(3).double() - 0.8 * torch.diag(torch.ones(2).double(), -1)
    return torch.linalg.inv(step.mT @ step + 4 * torch.eye(3).double())


def test_laplace_draws_with_the_covariance_of_the_posterior(tmp_path, monkeypatch):
    """For noise e_1, e_2, e_3 the outer products of the draws about the mean add up to it, whatever its root."""
    model = program(tmp_path, CHAIN)
    state = laplace.init(torch.Generator().manual_seed(0), model, model.data)
    off = []
    for k in range(3):
        monkeypatch.setattr(torch, "randn", lambda *_, k=k, **__: torch.eye(3).double()[k])
        drawn = laplace.draw(RNG, state, model)
        off.append(torch.stack([drawn[f"x{t}"] for t in range(3)]) - state.mean)
    covariance = sum(x[:, None] * x for x in off)
    assert torch.allclose(torch.as_tensor(covariance), posterior_covariance(), atol=1e-6)


def test_quadrature_draws_within_the_cell_of_a_point(tmp_path, monkeypatch):
    model = program(tmp_path, NORMAL)
    state, _ = quadrature.step(torch.Generator().manual_seed(0), quadrature.init(RNG, model, model.data), model,
                               model.data)
    ends = []
    for share in (0.0, 1.0):
        monkeypatch.setattr(torch, "rand", lambda *_, share=share, **__: torch.full((1,), share).double())
        ends.append(float(quadrature.draw(torch.Generator().manual_seed(1), state, model)["mu"]))
    assert ends[1] - ends[0] == pytest.approx(float(state.width[0]))
    assert float((state.u[:, 0] - sum(ends) / 2).abs().min()) < 1e-9


@pytest.mark.parametrize("steps", [1, 3])
def test_log_z_by_importance_is_the_log_of_the_mean_weight(tmp_path, steps):
    """However many steps: of weights that hardly differ it is their common value."""
    model = program(tmp_path, NORMAL)
    state = importance_sampling.init(torch.Generator().manual_seed(0), model, model.data)
    for _ in range(steps):
        state, info = importance_sampling.step(torch.Generator().manual_seed(0), state, model, model.data)
    assert info.log_evidence == pytest.approx(float(state.weights.exp().mean().log()), abs=0.01)


def test_draws_by_importance_are_by_weight(tmp_path):
    """One of three draws has all the weight."""
    model = program(tmp_path, NORMAL)
    state = importance_sampling.init(torch.Generator().manual_seed(0), model, model.data)
    state = replace(state, u=torch.tensor([[1.0], [2.0], [3.0]]).double(), weights=torch.tensor([0.0, 99.0, 0.0]))
    rng = torch.Generator().manual_seed(0)
    assert {float(importance_sampling.draw(rng, state, model)["mu"]) for _ in range(20)} == {2.0}


def test_smoothing_changes_the_largest_weights_only():
    """One of 1,000 lies far out, and is brought nearer; the others keep their size, in nats."""
    weights = 0.3 * torch.randn(1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 7
    weights[17] = 15.0
    smooth, shape = psis.smoothed(weights)
    small = weights < weights.quantile(0.8)
    assert torch.allclose(smooth[small], weights[small], atol=1e-9) and float(smooth[17]) < 14.0
    few, none = psis.smoothed(weights[:24])
    assert shape is not None and none is None and torch.equal(few, weights[:24])


MIXED = HEAD + '''
def model(y):
    a = pyro.sample("a", dist.Bernoulli(0.5))
    with pyro.plate("n", 2):
        b = pyro.sample("b", dist.Categorical(torch.ones(3) / 3))
    pyro.sample("y", dist.Normal(a + b.sum(), 1.), obs=y)
def data():
    return torch.tensor(0.7)
'''


def test_values_that_are_listed_are_all_of_them(tmp_path):
    """Two values of a and three of each b, the last entry the fastest."""
    found = states.listed(program(tmp_path, MIXED))
    rows = torch.cat([found["a"].long()[:, None], found["b"].long()], 1).tolist()
    assert rows == [[a, b, c] for a in range(2) for b in range(3) for c in range(3)]


def test_axes_are_named_for_their_plates(tmp_path):
    """A vector each in a plate, and plates within each other: the outer at -2, the inner at -1."""
    model = program(tmp_path, HEAD + '''
def model(y):
    with pyro.plate("users", 3):
        u = pyro.sample("u", dist.Normal(0., 1.).expand([2]).to_event(1))
    with pyro.plate("rows", 4, dim=-2), pyro.plate("columns", 5, dim=-1):
        w = pyro.sample("w", dist.Normal(0., 1.))
    pyro.sample("y", dist.Normal(u.sum() + w.sum(), 1.), obs=y)
def data():
    return torch.tensor(0.7)
''')
    assert model.sites == {"u": (3, 2), "w": (4, 5)}
    assert model.dims["posterior/u"] == ("users", "u_dim_1") and model.dims["expected/w"] == ("rows", "columns")


def test_a_transition_that_writes_in_place_spoils_no_earlier_state(tmp_path):
    (tmp_path / "mine.py").write_text(NORMAL + '''
def transition(latents, y):
    latents["mu"] += 1
    return latents
''')
    found = load.method("program", f"{tmp_path}/mine.py:transition")
    model = program(tmp_path, NORMAL)
    before = own.State({"mu": torch.tensor(1.0).double()})
    after, _ = found.step(torch.Generator(), before, model, model.data)
    assert (float(before.position["mu"]), float(after.position["mu"])) == (1.0, 2.0)


def test_the_elbo_is_of_the_later_half_of_the_draws(tmp_path):
    """Of 100 early draws at -1,000 nats and ten new ones the latest 55 count."""
    model = program(tmp_path, NORMAL)
    (tmp_path / "guide.py").write_text(HEAD + '''
def my_guide(y):
    pyro.sample("mu", dist.Normal(pyro.param("m", torch.tensor(0.)), 1.))
''')
    module = import_file(tmp_path / "guide.py")
    fit: Any = from_guide.as_method(module, module.my_guide, "mine", "user")
    state = replace(fit.init(torch.Generator().manual_seed(0), model, model.data),
                    weights=torch.full((100,), -1000.0).double())
    after, info = fit.step(torch.Generator().manual_seed(0), state, model, model.data)
    new = after.weights[100:]
    assert len(new) == 10 and info.elbo == pytest.approx((45 * -1000 + float(new.sum())) / 55)
