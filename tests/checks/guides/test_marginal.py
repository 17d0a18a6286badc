"""Guides of models with discrete sites: judged where these are summed out, refused in words where they are not."""

import math

import pytest
import torch

from checks import door
from checks.asked import found
from checks.guides import program, refitted
from checks.own_model import problems_in
from checks.problems.program.marginal import Marginal
from checks.verdict import Outcome
from errors import InputError
from tests.support.programs import HEAD

MIXTURE = HEAD + '''
from pyro.infer import TraceEnum_ELBO, config_enumerate

@config_enumerate
def model(y):
    mu = pyro.sample("mu", dist.Normal(0.0, 2.0))
    with pyro.plate("n", len(y)):
        z = pyro.sample("z", dist.Bernoulli(0.3))
        pyro.sample("y", dist.Normal(mu + 2 * z, 0.7), obs=y)

def data():
    return torch.tensor([0.1, 2.2, 1.9])

def guide(y):
    s = pyro.param("s", torch.tensor(0.4), constraint=dist.constraints.positive)
    pyro.sample("mu", dist.Normal(pyro.param("m", torch.tensor(0.1)), s))

def auto_guide(model):
    return pyro.infer.autoguide.AutoNormal(pyro.poutine.block(model, hide=["z"]))

def wrong_guide(y):
    s = pyro.param("s", torch.tensor(0.4), constraint=dist.constraints.positive)
    u = pyro.sample("u", dist.Normal(pyro.param("m", torch.tensor(0.1)), 1.0), infer={"is_auxiliary": True})
    pyro.sample("mu", dist.Delta(s * u))

def labels_guide(y):
    pyro.sample("mu", dist.Normal(pyro.param("m", torch.tensor(0.1)), 1.0))
    with pyro.plate("n", len(y)):
        pyro.sample("z", dist.Bernoulli(0.5))
'''


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "SAMPLES", (300, 8))
    monkeypatch.setattr(program, "CLOSER", 30)
    monkeypatch.setattr(refitted, "SETS", 8)
    monkeypatch.setattr(refitted, "ROUNDS", 1)
    monkeypatch.setattr(refitted, "STEPS", 10)
    (tmp_path / "mine.py").write_text(MIXTURE)
    return str(tmp_path / "mine.py")


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("name", "outcome"), [("wrong_guide", Outcome.WRONG), *(
    pytest.param(name, Outcome.RIGHT, marks=pytest.mark.slow) for name in ("guide", "auto_guide"))])
def test_a_guide_of_the_others_alone(path, name, outcome):
    """Against TraceEnum_ELBO, where the file has no loss of its own; a right one is called wrong with probability
    5e-7."""
    said = door.judged(found(f"{path}:{name}"), {}, seed=0, level=1e-6, budget=200)
    assert said.outcome is outcome, said


def test_the_marginal_density_is_that_of_a_mixture(path):
    """Every y_i is of 0.7 N(mu, 0.7^2) + 0.3 N(mu + 2, 0.7^2)."""
    model = Marginal.of(problems_in(path).problems()[0].model)
    y, mu = torch.tensor([0.1, 2.2, 1.9], dtype=torch.float64), torch.tensor(0.4, dtype=torch.float64)

    def normal(x, mean, sd):
        return -0.5 * ((x - mean) / sd) ** 2 - math.log(sd) - 0.5 * math.log(2 * math.pi)

    truth = normal(mu, 0.0, 2.0) + torch.logaddexp(math.log(0.7) + normal(y, mu, 0.7),
                                                   math.log(0.3) + normal(y, mu + 2, 0.7)).sum()
    assert float(model.log_joint({"mu": mu}, model.data)) == pytest.approx(float(truth), abs=1e-10)
    assert model.vectorised
    two = model.log_joint({"mu": torch.stack([mu, mu + 1])}, model.data)
    assert float(two[0]) == pytest.approx(float(truth), abs=1e-10) and float(two[1]) != float(two[0])


def test_a_guide_that_draws_labels_is_refused_in_words(path):
    with pytest.raises(InputError, match=r"labels_guide draws z, .* leave it out of the guide and mark"):
        found(f"{path}:labels_guide")


def test_too_many_states_are_refused_with_the_number_that_would_do(path):
    with open(path, "a") as file:
        file.write("\ndef example():\n    return torch.zeros(13)\n")
    with pytest.raises(InputError, match=r"z have 8.2e\+03 states, and .* up to 4,096 would do"):
        found(f"{path}:guide")
