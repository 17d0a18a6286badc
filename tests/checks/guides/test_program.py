"""Guides on a model of the user's own: right ones pass their identities, planted mistakes break them."""

import pytest

from checks import door
from checks.asked import found
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


@pytest.mark.parametrize(("scale", "loss", "outcome"), [
    ("s", "", Outcome.RIGHT), ("s", TWICE.format(weight=2), Outcome.WRONG)])
def test_a_normal_guide(tmp_path, scale, loss, outcome):
    path = tmp_path / "mine.py"
    path.write_text(NORMAL + GUIDE.format(scale=scale) + loss)
    asked = found(f"{path}:guide")
    said = door.judged(asked, {}, seed=0, level=1e-6, budget=200)
    assert said.outcome is outcome, said
