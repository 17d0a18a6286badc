"""Guides on a model of the user's own: right ones pass their identities, planted mistakes break them."""

import pytest

from checks import door
from checks.asked import found
from checks.guides import program, refitted
from checks.verdict import Outcome
from tests.support.programs import NORMAL

GUIDE = '''
def guide(y):
    m = pyro.param("m", torch.tensor(0.5))
    s = pyro.param("s", torch.tensor(0.3), constraint=dist.constraints.positive)
    pyro.sample("mu", dist.Normal(m, {scale}))
'''
TWICE = '''
def loss(model, guide, y):
    g = pyro.poutine.trace(guide).get_trace(y)
    p = pyro.poutine.trace(pyro.poutine.replay(model, trace=g)).get_trace(y)
    return g.log_prob_sum() - {weight} * p.log_prob_sum()
'''


SCALES = '''import torch, pyro, pyro.distributions as dist

def model(y):
    s = pyro.sample("s", dist.LogNormal(0.0, 1.0))
    with pyro.plate("people", len(y)):
        pyro.sample("y", dist.Normal(0.0, s), obs=y)

def data():
    return torch.tensor([1.2, 0.3, 2.2, 1.9])

def guide(y):
    m = pyro.param("m", torch.tensor(0.2))
    w = pyro.param("w", torch.tensor(0.4), constraint=dist.constraints.positive)
    z = pyro.sample("z", dist.Normal(m, w), infer={{"is_auxiliary": True}})
    pyro.sample("s", dist.Delta(z.exp(), log_density={jacobian}))
'''
OUTSIDE = SCALES.partition("def guide")[0] + '''def guide(y):
    pyro.sample("s", dist.Normal(pyro.param("m", torch.tensor(0.5)), 0.5))
'''


@pytest.fixture
def fewer(monkeypatch):
    monkeypatch.setattr(program, "SAMPLES", (300, 40))
    monkeypatch.setattr(program, "CLOSER", 200)
    monkeypatch.setattr(refitted, "SETS", 8)
    monkeypatch.setattr(refitted, "ROUNDS", 1)
    monkeypatch.setattr(refitted, "STEPS", 10)


@pytest.mark.usefixtures("fewer")
@pytest.mark.parametrize(("body", "outcome"), [
    (NORMAL + GUIDE.format(scale="s"), Outcome.RIGHT),
    pytest.param(NORMAL + GUIDE.format(scale="s") + TWICE.format(weight=1), Outcome.RIGHT, marks=pytest.mark.slow),
    (NORMAL + GUIDE.format(scale="s") + TWICE.format(weight=2), Outcome.WRONG),
    (OUTSIDE, Outcome.WRONG),
    pytest.param(SCALES.format(jacobian="-z"), Outcome.RIGHT, marks=pytest.mark.slow),
    pytest.param(SCALES.format(jacobian="0.0"), Outcome.WRONG, marks=pytest.mark.slow),
], ids=["right", "its own loss", "counted twice", "outside the support", "by a Jacobian", "without it"])
def test_a_guide_of_a_model_of_ones_own(tmp_path, body, outcome):
    """A right guide is called wrong with probability 5e-7."""
    judged(tmp_path, body, outcome)


@pytest.mark.slow
def test_a_scale_without_its_gradient_is_found(tmp_path):
    """Its slope is 0, that of the objective is not, and differs from seed to seed: 600 of them."""
    judged(tmp_path, NORMAL + GUIDE.format(scale="s.detach()"), Outcome.WRONG)


def judged(tmp_path, body, outcome):
    path = tmp_path / "mine.py"
    path.write_text(body)
    said = door.judged(found(f"{path}:guide"), {}, seed=0, level=1e-6, budget=200)
    assert said.outcome is outcome, said
