"""Kernels judged on a model of the user's own: right ones pass, planted mistakes are found, and what no kernel can be
judged on is said."""

from pathlib import Path

import pytest
import torch

from checks.asked import found
from checks.kernels.judge import judge
from checks.kernels.kernel import Kernel
from checks.kernels.trial import Trial, suspects
from checks.own_model import problems_in
from checks.verdict import Outcome
from errors import InputError
from inference.method import Method
from tests.support.programs import HEAD, NORMAL, SCHOOLS, SWITCH

LOOKS = (500,)
CONJUGATE = '''
def transition(latents, y):
    precision = 1 / 4 + len(y) / 0.25 * {weight}
    mean = (1 / 4 + y.sum() / 0.25 * {weight}) / precision
    return {{"mu": mean + torch.randn(()) / precision ** 0.5}}
'''
GIBBS = '''
def transition(latents, y):
    k, z = latents["k"], latents["z"]
    p = torch.tensor([.2, .3, .5]).log() - 0.5 * (y[:, None] - torch.arange(3.) - 2 * z) ** 2
    k = dist.Categorical(logits=p).sample()
    r = y - k
    odds = torch.tensor(.3 / .7).log() + 0.5 * (r ** 2).sum() - 0.5 * ((r - {two}) ** 2).sum()
    return {{"k": k, "z": dist.Bernoulli(logits=odds).sample()}}
'''


def verdict(folder: Path, text: str, name: str = ""):
    path = folder / "mine.py"
    path.write_text(text)
    return judged(found(f"{path}{name}"))


def kernel_of(asked) -> Kernel:
    assert isinstance(asked.what, Method)
    return Kernel(asked.what)


def judged(asked, looks=LOOKS):
    return judge(kernel_of(asked), asked.problems, looks=looks, budget=200.0, explain=False)


@pytest.mark.parametrize("weight", [1, 2])
def test_a_conditional_of_a_normal_mean(tmp_path, weight):
    said = verdict(tmp_path, NORMAL + CONJUGATE.format(weight=weight))
    assert said.outcome is (Outcome.RIGHT if weight == 1 else Outcome.WRONG), said


@pytest.mark.parametrize("two", ["2", "1"])
def test_gibbs_of_discrete_sites(tmp_path, two):
    said = verdict(tmp_path, SWITCH + GIBBS.format(two=two))
    assert said.outcome is (Outcome.RIGHT if two == "2" else Outcome.WRONG), said


def test_a_pyro_kernel_is_warmed_up_once_and_then_right(tmp_path):
    text = NORMAL + "\nfrom pyro.infer import HMC\ndef kernel(model):\n    return HMC(model, num_steps=2)\n"
    (tmp_path / "mine.py").write_text(text)
    said = judged(found(str(tmp_path / "mine.py")), looks=(100,))
    assert said.outcome is Outcome.RIGHT, said


def test_what_vmap_can_move_is_moved_at_once(tmp_path):
    text = NORMAL + CONJUGATE.format(weight=1)
    (tmp_path / "mine.py").write_text(text)
    assert kernel_of(found(str(tmp_path / "mine.py"))).batched
    asks = "    if y.sum() > 99:\n        return latents\n    precision"
    (tmp_path / "mine.py").write_text(text.replace("    precision", asks, 1))
    assert not kernel_of(found(str(tmp_path / "mine.py"))).batched


def test_the_control_is_right_on_every_sort_of_site(tmp_path):
    for text in (NORMAL, SCHOOLS, SWITCH):
        (tmp_path / "mine.py").write_text(text)
        problem = problems_in(str(tmp_path / "mine.py")).problems()[0]
        trial = Trial(torch.Generator().manual_seed(1), problem.control, problem)
        assert not suspects(trial.upto(1000), 1e-6)  # a false alarm in a million, for all functions together
        assert all(bool((trial.after[site] != x).any()) for site, x in trial.before.items())


def test_a_fault_of_the_models_draws_is_not_the_kernels(tmp_path):
    """A normal that draws too wide; the conditional below is right by its density."""
    off = """
class Wide(dist.Normal):
    def rsample(self, shape=torch.Size()):
        return self.loc + 2 * super().rsample(shape)
    sample = rsample
"""
    text = NORMAL.replace("\ndef model", off + "\ndef model").replace("dist.Normal(1.0, 2.0)", "Wide(1.0, 2.0)")
    said = verdict(tmp_path, text + CONJUGATE.format(weight=1))
    assert said.outcome is Outcome.UNKNOWN and "sample() and the log_prob() of this model disagree" in said.why, said


@pytest.mark.slow
def test_where_draws_and_densities_disagree_no_kernel_is_wrong(tmp_path):
    """torch's LKJCholesky draws from another law than its density's from 3 dimensions on: by the density with
    concentration 1 correlations have variances of 1/4, and those of its draws are .25, .30, .30."""
    text = HEAD + '''
def model(y):
    L = pyro.sample("L", dist.LKJCholesky(3, torch.tensor(1.)))
    with pyro.plate("n", len(y)):
        pyro.sample("y", dist.MultivariateNormal(torch.zeros(3), scale_tril=L), obs=y)

def data():
    return torch.zeros(2, 3)

def transition(latents, y):
    """Metropolis by the density, in the coordinates that Pyro has."""
    to = torch.distributions.biject_to(dist.constraints.corr_cholesky)
    u = to.inv(latents["L"])
    def log_p(v):
        L = to(v)
        return (dist.LKJCholesky(3, torch.tensor(1.)).log_prob(L) + to.log_abs_det_jacobian(v, L)
                + dist.MultivariateNormal(torch.zeros(3), scale_tril=L).log_prob(y).sum())
    for _ in range(3):
        new = u + 0.7 * torch.randn(3)
        u = torch.where(torch.rand(()).log() < log_p(new) - log_p(u), new, u)
    return {"L": to(u)}
'''
    path = tmp_path / "mine.py"
    path.write_text(text)
    said = judged(found(str(path)), looks=(2000,))
    assert said.outcome is Outcome.UNKNOWN and "sample() and the log_prob() of this model disagree" in said.why, said
    assert "LKJCholesky.sample, which L is drawn from, is wrong" in said.why


@pytest.mark.parametrize(("text", "words"), [
    (HEAD + "def model(y):\n    x = pyro.sample('x', dist.ImproperUniform(dist.constraints.real, (), ()))\n"
     "    pyro.sample('y', dist.Normal(x, 1.), obs=y)\ndef data():\n    return torch.tensor(1.)\n", "flat prior"),
    (HEAD + "def model(y):\n    a = pyro.sample('a', dist.Normal(0., 1.))\n    with pyro.plate('t', len(y) - 1):\n"
     "        pyro.sample('y', dist.Normal(a * y[:-1], 1.), obs=y[1:])\ndef data():\n    return torch.ones(5)\n",
     "reads its data elsewhere than at obs="),
    (HEAD + "def model(y):\n    a = pyro.sample('a', dist.Normal(0., 1.))\n    m = y > 0\n"
     "    with pyro.plate('t', 3):\n        pyro.sample('y', dist.Normal(a, 1.), obs=y[m])\n"
     "def data():\n    return torch.tensor([1., 2., -1., 3.])\n", "no part of the model's arguments"),
    (HEAD + "def model(y):\n    a = pyro.sample('a', dist.Normal(0., 1.))\n    pyro.factor('f', -a ** 2)\n"
     "    pyro.sample('y', dist.Normal(a, 1.), obs=y)\ndef data():\n    return torch.tensor(1.)\n", "pyro.factor"),
    (HEAD + "def model(y):\n    a = pyro.sample('a', dist.Normal(torch.zeros(300), 1.).to_event(1))\n"
     "    pyro.sample('y', dist.Normal(a.sum(), 1.), obs=y)\ndef data():\n    return torch.tensor(1.)\n",
     "has 300 latent and 1 observed numbers"),
    (NORMAL, "holds a model and nothing to check"),
    (NORMAL + CONJUGATE.format(weight=1) + CONJUGATE.format(weight=2).replace("transition", "second_transition"),
     "name one, as in"),
])
def test_what_cannot_be_checked_is_said(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        verdict(tmp_path, text + ("" if "nothing" in words or "name" in words else
                                  "\ndef transition(latents, y):\n    return latents\n"))


def test_a_method_of_ours_on_a_model_of_the_users(tmp_path):
    (tmp_path / "mine.py").write_text(NORMAL)
    asked = found("random_walk_pyro", kind="program", problems=problems_in(str(tmp_path / "mine.py")))
    assert judged(asked, looks=(300,)).outcome is Outcome.RIGHT
