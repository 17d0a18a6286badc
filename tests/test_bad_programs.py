"""What is wrong with a user's model, its data or its guide is said in a sentence, by `--check` and by `--problem`: exit
status 2, and nothing is left behind."""

import pytest

import run
from checks.asked import found
from checks.kernels.judge import judge
from checks.kernels.kernel import Kernel
from checks.verdict import Outcome
from inference.method import Method
from tests.support.programs import HEAD, NORMAL

DATA = "\ndef data():\n    return torch.tensor([1.2, 0.3, 2.2, 1.9])\n"
MOVES = ('\ndef transition(latents, *args):\n'
         '    return {name: x + torch.randn(x.shape) for name, x in latents.items()}\n')
GUIDE = '\ndef guide(y):\n    pyro.sample("{}", dist.Normal(pyro.param("m", torch.tensor(0.5)), 1.0){})\n{}'


def of(body: str, prior: str = "dist.Normal(0., 2.)", rest: str = DATA + MOVES) -> str:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f'{HEAD}\ndef model(y):\n    mu = pyro.sample("mu", {prior})\n{lines}{rest}'


LIKELIHOOD = 'pyro.sample("y", dist.Normal(mu, 1.).expand([len(y)]).to_event(1), obs=y)'
FACTOR = 'pyro.factor("likelihood", dist.Normal(mu, 1.).log_prob(y).sum())'
SERIES = 'for t in range(1, len(y)):\n    pyro.sample(f"y{t}", dist.Normal(mu * y[t - 1], 1.), obs=y[t])'
BOTH = {
    "no model": (HEAD + DATA + MOVES, "mine.py has no function `model`"),
    "no data": (NORMAL.partition("\ndef data")[0] + MOVES, "mine.py has no function `data`"),
    "no observed site": (of('pyro.sample("y", dist.Normal(mu, 1.))'), "the model observes nothing: give one of its"),
    "sites that change": (of('if torch.rand(()) < 0.5:\n    pyro.sample("more", dist.Normal(0., 1.))\n' + LIKELIHOOD),
                          "the model has the site more in some runs and not in others"),
    "a model that raises": (of('raise ValueError("no such thing")'),
                            "the model of mine.py raises ValueError, line 5: no such thing"),
    "data that raise": (of(LIKELIHOOD, rest="\ndef data():\n    raise OSError('no file')\n" + MOVES),
                        "data() of mine.py raises OSError"),
    "other arguments": (of(LIKELIHOOD, rest="\ndef data():\n    return torch.zeros(2), torch.ones(2)\n" + MOVES),
                        "data() of mine.py returns 2 arguments, which model does not take"),
    "numpy's data": (of(LIKELIHOOD, rest="\ndef data():\n    import numpy\n    return numpy.zeros(3)\n" + MOVES),
                     "the site y is observed at a value of type ndarray: make it a tensor"),
    "a list": (of(LIKELIHOOD, rest="\ndef data():\n    return [1.0, 2.0]\n" + MOVES),
               "the site y is observed at a value of type list: make it a tensor"),
    "NaN in the data": (of(LIKELIHOOD, rest="\ndef data():\n    return torch.tensor([1., float('nan')])\n" + MOVES),
                        "the value of the site y is NaN at entry [1]"),
    "NaN parameters": (of('pyro.sample("y", dist.Normal(mu, (y - 9).log()).to_event(1), obs=y)'),
                       "found invalid values: tensor([nan, nan, nan, nan])"),
    "NaN density": (of('with pyro.plate("n", len(y)):\n    pyro.sample("y", dist.Normal(0., mu.sqrt()), obs=y)'),
                    "log p of the site y is NaN at entry [0], where its value is "),
    "whole numbers for 0 and 1": (of('pyro.sample("y", dist.Bernoulli(logits=mu).expand([2]).to_event(1), obs=y)',
                                     rest="\ndef data():\n    return torch.tensor([0, 1])\n" + MOVES),
                                  "the site y has no log p: its value is of shape (2,) and of whole numbers"),
    "data of another length": (of('with pyro.plate("n", 5):\n    pyro.sample("y", dist.Normal(mu, 1.), obs=y)'),
                               "the site y has no log p: its value is of shape (4,), and its distribution draws (5,)"),
    "a column against a row": (of('with pyro.plate("n", len(y)):\n    pyro.sample("y", dist.Normal(mu * y, 1.), '
                                  'obs=y[:, None])'), "log p of the site y has the shape (4, 4), every value against"),
    "another device": (of(LIKELIHOOD, rest="\ndef data():\n    return torch.zeros(3, device='meta')\n" + MOVES),
                       "data() of mine.py returns y on the device meta: make it on the CPU"),
    "float32 within": (of('W = torch.ones(2, 2, dtype=torch.float32)\nx = W @ torch.stack([mu, mu])\n' + LIKELIHOOD),
                       "everything is computed in float64: leave dtypes out"),
    "a float32 prior": (of(LIKELIHOOD, "dist.Normal(torch.zeros(()).float(), 1.0)"),
                        "the site mu is drawn in float32, and everything is computed in float64"),
    "a float32 kernel": (of(LIKELIHOOD, rest=DATA + MOVES.replace("x + ", "x.float() + 0 * ").replace(
        "(x.shape)", "(x.shape, dtype=torch.float32)")), "it returns mu as torch.float32"),
    "other sites of a kernel": (of(LIKELIHOOD, rest=DATA + MOVES.replace("{name:", "{'nu':")),
                                "it returns nu"),
    "a guide for other sites": (of(LIKELIHOOD, rest=DATA + GUIDE.format("nu", "", "")),
                                "guide does not draw the site mu"),
    "a guide of more sites": (of(LIKELIHOOD, rest=DATA + GUIDE.format(
        "mu", "", '    pyro.sample("nu", dist.Normal(0., 1.))\n')), "draws the site nu, which the model does not have"),
    "a guide of another shape": (of(LIKELIHOOD, rest=DATA + GUIDE.format("mu", ".expand([3]).to_event(1)", "")),
                                 "draws mu with the shape (3,), and the model has ()"),
}
CHECK = {
    "a factor": (of(FACTOR), "the model has the factor likelihood (pyro.factor), which cannot be simulated: give the "),
    "simulate of other names": (of(FACTOR, rest=DATA + MOVES + "\ndef simulate(rng, latents):\n"
                                   "    return {'z': torch.zeros(4)}\n"), "not through z of shape (4,)"),
    "simulate of other shapes": (of(FACTOR, rest=DATA + MOVES + "\ndef simulate(rng, latents):\n"
                                    "    return {'y': torch.zeros(3)}\n"),
                                 "is observed through y of shape (4,), not through y of shape (3,)"),
    "data read elsewhere": (of(SERIES), "reads its data elsewhere than at obs= (as y[t - 1] of a series does)"),
    "data that are copied": (of('pyro.sample("y", dist.Normal(mu, 1.).expand([3]).to_event(1), obs=y[y > 1])'),
                             "the data of the site y are no part of the model's arguments"),
    "a flat prior": (of(LIKELIHOOD, "dist.ImproperUniform(dist.constraints.real, (), ())"),
                     "the site mu has a flat prior"),
    "too many numbers": (of(LIKELIHOOD.replace("mu,", "mu.sum(),"), "dist.Normal(0., 1.).expand([300]).to_event(1)"),
                         "has 300 latent and 4 observed numbers, and to check anything up to 200 and 400 would do"),
    "too many rows": (of(LIKELIHOOD, rest="\ndef data():\n    return torch.zeros(5000)\n" + MOVES),
                      "has 1 latent and 5,000 observed numbers, and to check anything up to 200 and 400 would do"),
    "a model that raises seldom": (of('if mu > 6.5:\n    raise ValueError("too large")\n' + LIKELIHOOD),
                                   "mine.py raises ValueError, line 6: too large"),
    "nothing to check": (NORMAL, "holds a model and nothing to check"),
}
PROBLEM = {
    "data that cannot be": (of('with pyro.plate("n", len(y)):\n    pyro.sample("y", dist.Poisson(mu.exp()), obs=y)',
                               rest="\ndef data():\n    return torch.tensor([1.0, -2.0])\n" + MOVES),
                            "the data of the site y at entry [1] are -2.0, which its distribution cannot draw"),
}


def refused(tmp_path, capsys, *words: str) -> str:
    status = run.guarded([*words, "--out", str(tmp_path / "out")])
    captured = capsys.readouterr()
    assert status == 2 and "Traceback" not in captured.err
    return captured.err + captured.out


@pytest.mark.parametrize("name", [*BOTH, *CHECK])
def test_by_check(tmp_path, capsys, name):
    text, says = {**BOTH, **CHECK}[name]
    (tmp_path / "mine.py").write_text(text)
    said = refused(tmp_path, capsys, "--check", str(tmp_path / "mine.py"), "--budget", "20")
    assert says in said
    assert "cannot be judged" in said or not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", [*BOTH, *PROBLEM])
def test_by_problem(tmp_path, capsys, name):
    text, says = {**BOTH, **PROBLEM}[name]
    (tmp_path / "mine.py").write_text(text)
    assert says in refused(tmp_path, capsys, "--problem", str(tmp_path / "mine.py"))
    assert not (tmp_path / "out").exists()


def test_a_factor_is_checked_on_the_arguments_that_simulate_draws(tmp_path, monkeypatch):
    """The conditional of a normal mean, four observations of sd 1 and a prior of sd 2, in closed form."""
    monkeypatch.setattr("checks.kernels.score.PILOT", 500)  # of draws one by one
    monkeypatch.setattr("checks.kernels.trial.REFERENCE", 4)
    text = of(FACTOR, rest=DATA + '''
def simulate(rng, latents):
    return {"y": latents["mu"] + torch.randn(4)}

def transition(latents, y):
    precision = 1 / 4 + WEIGHT * 4
    return {"mu": WEIGHT * y.sum() / precision + torch.randn(()) / precision ** 0.5}
''')
    for weight, outcome in (("1", Outcome.RIGHT), ("2", Outcome.WRONG)):
        (tmp_path / "mine.py").write_text(text.replace("WEIGHT", weight))
        asked = found(str(tmp_path / "mine.py"))
        assert isinstance(asked.what, Method)
        assert judge(Kernel(asked.what), asked.problems, looks=(200,), explain=False).outcome is outcome
