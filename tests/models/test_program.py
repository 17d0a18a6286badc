"""A user's program as a model: against densities written out by hand, and every fault of a file in a sentence."""

import math

import pytest
import torch
from torch.distributions import Categorical, HalfNormal, Normal

from errors import InputError
from experiments.program.measures import seen
from models.batched import double
from models.held import Observed
from tests.support.programs import CHAIN, HEAD, NORMAL, SCHOOLS, SWITCH, program

NONE = "\ndef data():\n    return torch.zeros(3)\n"


@pytest.fixture(autouse=True)
def in_double():
    with double():
        yield


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def schools(latents, y) -> torch.Tensor:
    sigma = torch.tensor([15.0, 10.0, 16.0], dtype=torch.float64)
    mu, tau, theta = (latents[n].double() for n in ("mu", "tau", "theta"))
    return (Normal(0.0, 5.0).log_prob(mu) + HalfNormal(5.0).log_prob(tau)
            + Normal(mu[..., None], tau[..., None]).log_prob(theta).sum(-1) + Normal(theta, sigma).log_prob(y).sum(-1))


def test_its_log_joint_is_the_sum_of_its_densities(tmp_path):
    model = program(tmp_path, SCHOOLS)
    assert model.vectorised and model.sites == {"mu": (), "tau": (), "theta": (3,)}
    assert model.dims["posterior/theta"] == ("schools",)
    latents, data = model.joint(rng(), 50)
    assert torch.allclose(model.log_joint(latents, data), schools(latents, data["y"]), rtol=1e-12)
    assert torch.allclose(model.log_joint(latents, model.data), schools(latents, model.data["y"]), rtol=1e-12)
    one = {name: x[7] for name, x in latents.items()}
    assert torch.allclose(model.log_joint(one, model.data), schools(one, model.data["y"]), rtol=1e-12)
    prior = schools(latents, data["y"]) - Normal(latents["theta"], model.arguments.args[0]).log_prob(data["y"]).sum(-1)
    assert torch.allclose(model.log_joint(latents, model.blank()), prior, rtol=1e-12)
    assert torch.equal(model.quantities(latents)["twice"], 2 * latents["mu"])


def test_its_draws_have_the_moments_of_its_densities(tmp_path):
    """Var y = 25 + E tau^2 + sigma^2, tau^2 of mean 25; 6 standard errors of a variance: a false alarm in 1e8."""
    model, n = program(tmp_path, SCHOOLS), 40_000
    _, data = model.joint(rng(), n)
    for k, sigma in enumerate((15.0, 10.0, 16.0)):
        variance, fourth = float(data["y"][:, k].var()), float((data["y"][:, k] ** 4).mean())
        assert abs(variance - 50 - sigma**2) < 6 * math.sqrt(fourth / n)


def test_data_without_a_plate_are_drawn_each_by_itself(tmp_path):
    """y of four numbers, N(mu, 0.5) of one: their variance given mu is 0.25; 6 standard errors of n chi^2_3 / 3."""
    model, n = program(tmp_path, NORMAL.replace('    with pyro.plate("people", len(y)):\n    ', "")), 4000
    latents, data = model.joint(rng(), n)
    assert data["y"].shape == (n, 4) and model.vectorised and model.gap(rng(), 3) < 1e-12
    assert abs(float(data["y"].var(-1).mean()) - 0.25) < 6 * 0.25 * math.sqrt(2 / 3 / n)
    own = Normal(latents["mu"][:, None], 0.5).log_prob(data["y"]).sum(-1) + Normal(1.0, 2.0).log_prob(latents["mu"])
    assert torch.allclose(model.log_joint(latents, data), own, rtol=1e-12)
    assert seen(model)["y"].tolist() == [True] * 4  # of which PSIS-LOO leaves one out


def test_data_are_put_where_they_lie_in_the_arguments(tmp_path):
    model = program(tmp_path, CHAIN)
    latents, data = model.joint(rng(), 4)
    put = model.arguments_with({name: x[1] for name, x in data.items()}).args[0]
    assert torch.equal(put, torch.stack([data[f"y{t}"][1] for t in range(3)]))
    by_hand = Normal(0.0, 1.0).log_prob(latents["x0"])
    by_hand = by_hand + sum(Normal(0.8 * latents[f"x{t - 1}"], 1.0).log_prob(latents[f"x{t}"]) for t in (1, 2))
    by_hand = by_hand + sum(Normal(latents[f"x{t}"], 0.5).log_prob(data[f"y{t}"]) for t in range(3))
    assert torch.allclose(model.log_joint(latents, data), by_hand, rtol=1e-12)
    assert model.gap(rng(), 5) < 1e-12


def test_discrete_sites(tmp_path):
    model = program(tmp_path, SWITCH)
    latents, data = model.joint(rng(), 20)
    p = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    by_hand = torch.where(latents["z"] == 1, math.log(0.3), math.log(0.7)) + Categorical(p).log_prob(
        latents["k"]).sum(-1) + Normal(latents["k"] + 2 * latents["z"][:, None], 1.0).log_prob(data["y"]).sum(-1)
    assert torch.allclose(model.log_joint(latents, data), by_hand, rtol=1e-7)  # Bernoulli's probability is clamped
    assert model.labels == {"k": 3} and set(model.known.discrete) == {"z", "k"}


def test_a_program_that_cannot_be_vectorised_is_run_one_by_one(tmp_path):
    asks = "    mu = mu if mu.item() > -1e9 else -mu\n    with pyro"
    model = program(tmp_path, NORMAL.replace("    with pyro", asks))
    assert not model.vectorised
    latents, data = model.joint(rng(), 5)
    by_hand = Normal(1.0, 2.0).log_prob(latents["mu"]) + Normal(latents["mu"][:, None], 0.5).log_prob(data["y"]).sum(-1)
    assert torch.allclose(model.log_joint(latents, data), by_hand, rtol=1e-12)


def test_coordinates_are_a_change_of_variables(tmp_path):
    """The density of u integrates to 1: a sum over a fine grid, of tau alone."""
    model = program(tmp_path, HEAD + '''
def model(y):
    tau = pyro.sample("tau", dist.HalfNormal(5.))
    pyro.sample("y", dist.Normal(0., tau), obs=y)
def data():
    return torch.tensor(1.0)
''')
    u = torch.linspace(-25, 8, 20_001, dtype=torch.float64)[:, None]
    latents, log_det = torch.func.vmap(model.coordinates.latents)(u)
    assert abs(float((model.log_joint(latents, Observed()) + log_det).exp().sum()) * (33 / 20_000) - 1) < 1e-9
    assert torch.allclose(torch.func.vmap(model.coordinates.free)(latents), u)


@pytest.mark.parametrize(("text", "words"), [
    (NONE, "has no function `model`"),
    (HEAD + "def model(y):\n    pyro.sample('x', dist.Normal(0., 1.))\n" + NONE, "observes nothing"),
    (HEAD + "def model(y):\n    pyro.sample('y', dist.Normal(torch.zeros(3), 1.).to_event(1), obs=y)\n" + NONE,
     "draws nothing"),
    (HEAD + "def model(y):\n    s = pyro.param('s', torch.tensor(1.))\n    x = pyro.sample('x', dist.Normal(0., s))\n"
     "    pyro.sample('y', dist.Normal(x, 1.).expand([3]).to_event(1), obs=y)\n" + NONE, "has the parameter s"),
    (HEAD + "def model(y):\n    x = pyro.sample('x', dist.Normal(0., 1.))\n    if x > 0:\n"
     "        pyro.sample('w', dist.Normal(0., 1.))\n    pyro.sample('y', dist.Normal(x, 1.).expand([3]).to_event(1), "
     "obs=y)\n" + NONE, "the site w in some runs and not in others"),
    (HEAD + "def model(y):\n    x = pyro.sample('x', dist.Normal(0., 1.))\n    with pyro.plate('n', 3, "
     "subsample_size=2) as i:\n        pyro.sample('y', dist.Normal(x, 1.), obs=y[i])\n" + NONE, "takes a subsample"),
    (HEAD + "def model(y):\n    return 1 / 0\n" + NONE, "raises ZeroDivisionError, line 3: division by zero"),
    (HEAD + "def model(y):\n    x = pyro.sample('x', dist.Normal(torch.tensor(0., dtype=torch.float32), 1.))\n"
     "    pyro.sample('y', dist.Normal(x, 1.).expand([3]).to_event(1), obs=y)\n" + NONE, "is drawn in float32"),
    (HEAD + "def model(y):\n    x = pyro.sample('x', dist.Normal(torch.zeros(3), 1.).to_event(1))\n"
     "    m = torch.eye(3, dtype=torch.float32) @ x\n    pyro.sample('y', dist.Normal(m, 1.).to_event(1), obs=y)\n"
     + NONE, "line 4: .*everything is computed in float64"),
    (HEAD + "def model(y):\n    x = pyro.sample('a/b', dist.Normal(0., 1.))\n"
     "    pyro.sample('y', dist.Normal(x, 1.).expand([3]).to_event(1), obs=y)\n" + NONE, "call it a_b"),
])
def test_a_fault_of_a_file_is_one_sentence(tmp_path, text, words):
    with pytest.raises(InputError, match=words) as error:
        assert program(tmp_path, text if text.startswith("import") else HEAD + text).data
    assert len(str(error.value)) < 320 and "\n" not in str(error.value)


def test_a_density_that_is_no_number_is_named_by_site_and_value(tmp_path):
    model = program(tmp_path, HEAD + '''
def model(y):
    x = pyro.sample("x", dist.Normal(0., 1.))
    with pyro.plate("n", 3):
        pyro.sample("y", dist.Normal(x, 1.), obs=y)
def data():
    return torch.tensor([0., 1., 2.])
''')
    with pytest.raises(InputError, match=r"log p of the site y is NaN at entry \[1\], where its value is nan"):
        model.check_data(Observed(y=torch.tensor([0.0, math.nan, 2.0], dtype=torch.float64)))


def test_a_files_own_numbers_are_in_float64(tmp_path):
    model = program(tmp_path, NORMAL.replace("def model(y):", "W = torch.eye(4)\n\ndef model(y):").replace(
        "obs=y)", "obs=W @ y)"))
    assert model.data["y"].dtype == torch.float64 and torch.get_default_dtype() == torch.float64


def test_axes_are_called_like_nothing_else_that_is_saved(tmp_path):
    """Saved, an axis of one name twice is refused by xarray; a plate and a site of one name are by Pyro."""
    model = program(tmp_path, SCHOOLS.replace('"schools"', '"draw"'))
    assert model.dims["posterior/theta"] == ("draw_axis",)


def test_a_flat_prior_may_be_inferred_with_and_not_simulated(tmp_path):
    model = program(tmp_path, HEAD + '''
def model(y):
    x = pyro.sample("x", dist.ImproperUniform(dist.constraints.positive, (), ()))
    pyro.sample("y", dist.Normal(x, 1.), obs=y)
def data():
    return torch.tensor(1.5)
''')
    x = torch.tensor([0.5, 2.0], dtype=torch.float64)
    assert torch.allclose(model.log_joint({"x": x}, model.data), Normal(x, 1.0).log_prob(torch.tensor(1.5)))
    with pytest.raises(InputError, match="the site x has a flat prior"):
        model.joint(rng(), 2)


@pytest.mark.parametrize(("one", "other"), [
    ("{'y': y, 'sd': 0.5}", "{'y': y, 'sd': 0.6}"), ("(y, 0.5)", "(y, 0.6)"), ("(y, [0.5, 1])", "(y, [0.5, 2])"),
    ("(y, {'sd': 0.5})", "(y, {'sd': 0.6})"), ("(y, [[torch.zeros(2)], 1])", "(y, [[torch.zeros(2)], 2])"),
    ("(y, torch.zeros(2).numpy())", "(y, torch.ones(2).numpy())"), ("(y, None)", "(y, 'word')"),
    ("(y, torch.zeros(2))", "(y, torch.ones(2))"), ("(y, 1)", "(y, True)"),
])
def test_programs_of_other_arguments_are_others(tmp_path, one, other):
    """A number by keyword, or in a list, decides the answer as much as a tensor does: nothing is gone on with."""
    def facts(given):
        return program(tmp_path, HEAD + f"""
def model(y, sd=1.0):
    pyro.sample("y", dist.Normal(pyro.sample("mu", dist.Normal(0., 1.)), 1.), obs=y)
def data():
    y = torch.tensor(0.3)
    return {given}
""").facts({})["model"]["arguments"]

    assert facts(one) == facts(one) != facts(other)


@pytest.mark.parametrize(("values", "refused"), [("[3., -1.]", False), ("[-1., 3.]", True)])
def test_data_outside_a_support_are_refused_but_where_they_are_masked(tmp_path, values, refused):
    model = program(tmp_path, HEAD + '''
def model(y):
    rate = pyro.sample("rate", dist.Gamma(1., 1.))
    with pyro.plate("n", len(y)), pyro.poutine.mask(mask=torch.tensor([True, False])):
        pyro.sample("y", dist.Poisson(rate), obs=y)
def data():
    return torch.tensor(''' + values + ")\n")
    if refused:
        with pytest.raises(InputError, match=r"the data of the site y at entry \[0\] are -1.0, which its distribution"):
            model.check_data(model.data)
    else:
        model.check_data(model.data)
