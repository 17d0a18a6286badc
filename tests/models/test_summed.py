"""Programs with their discrete sites summed out, against the sum over every value that these can have."""

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from errors import InputError
from inference.program.parts import states
from models import summed
from models.batched import seeded
from models.summed import Summed
from tests.support.programs import HEAD, SWITCH, program

DATA = "\ndef data():\n    return torch.tensor([-1.4, 0.2, 1.3, 0.9])\n"
MIXTURE = HEAD + '''
def model(y):
    w = pyro.sample("w", dist.Dirichlet(torch.tensor([1., 2., 3.])))
    with pyro.plate("components", 3):
        mu = pyro.sample("mu", dist.Normal(0., 2.))
    with pyro.plate("numbers", len(y)):
        z = pyro.sample("z", dist.Categorical(w))
        pyro.sample("y", dist.Normal(mu[z], 0.7), obs=y)
''' + DATA
CHAIN = HEAD + '''
def model(y):
    with pyro.plate("states", 2):
        P = pyro.sample("P", dist.Dirichlet(torch.tensor([2., 1.])))
        mu = pyro.sample("mu", dist.Normal(0., 2.))
    z = 0
    for t in LOOP(range(len(y))):
        z = pyro.sample(f"z{t}", dist.Categorical(P[z]))
        pyro.sample(f"y{t}", dist.Normal(mu[z], 0.8), obs=y[t])
''' + DATA
NESTED = HEAD + '''
def model(y):
    p = pyro.sample("p", dist.Beta(2., 2.))
    kind = pyro.sample("kind", dist.Categorical(torch.tensor([.2, .3, .5])))
    with pyro.plate("groups", 2):
        g = pyro.sample("g", dist.Bernoulli(p))
        b = pyro.sample("b", dist.Normal(kind - g, 1.))
        with pyro.plate("numbers", 2):
            z = pyro.sample("z", dist.Bernoulli(0.2 + 0.5 * g))
            with pyro.poutine.scale(scale=0.5):
                pyro.sample("y", dist.Normal(b + 2 * z + kind, 1.), obs=y)
    pyro.sample("loose", dist.Normal(kind * torch.ones(2), p), obs=y[0])

def data():
    return torch.tensor([[1.2, 0.3], [2.2, 1.9]])
'''
ONE_HOT = HEAD + '''
def model(y):
    m = pyro.sample("m", dist.Normal(torch.tensor([-1., 1.]), 1.).to_event(1))
    z = pyro.sample("z", dist.OneHotCategorical(torch.tensor([.3, .7])))
    only = pyro.sample("only", dist.Categorical(torch.ones(1)))
    pyro.sample("y", dist.Normal((m * z).sum(-1) + only, 1.), obs=y[0])
''' + DATA
ALL = {"a mixture of four numbers": MIXTURE, "a chain": CHAIN.replace("LOOP", ""),
       "a chain by pyro.markov": CHAIN.replace("LOOP", "pyro.markov"), "plates in plates": NESTED, "one hot": ONE_HOT}
CHANCE = 1e-7  # of a false alarm, five times


@pytest.fixture(scope="module", params=list(ALL))
def both(request, tmp_path_factory):
    """A program, and with its discrete sites summed out."""
    model = program(tmp_path_factory.mktemp("summed"), ALL[request.param])
    found = summed.of(model)
    assert isinstance(found, Summed), found
    return model, found


def listed(model, x):
    """log p(x, z, y) of every z, (states,), and these."""
    every = states.listed(model)
    count = states.count(model)
    return model.log_joint({**{n: v.expand(count, *v.shape) for n, v in x.items()}, **every}, model.data), every


def test_the_sum_is_that_over_every_value(both):
    model, found = both
    rng = torch.Generator().manual_seed(1)
    for _ in range(2):
        x = found.prior(rng)
        exact = listed(model, x)[0].logsumexp(0)
        assert torch.allclose(found.log_joint(x, model.data), exact, rtol=1e-10)
    assert found.vectorised


def test_discrete_sites_are_drawn_given_the_others(both):
    """Of 2,000 draws as many have each value as there are to be, by chi-square."""
    model, found = both
    rng = torch.Generator().manual_seed(2)
    x = found.prior(rng)
    log_p, every = listed(model, x)
    with seeded(rng):
        drawn = found.completed(rng, {n: v.expand(2000, *v.shape) for n, v in x.items()}, model.data)
    rows = [torch.cat([z[n].reshape(len(z[n]), -1).double() for n in every], 1) for z in (every, drawn)]
    at = (rows[1][:, None] == rows[0][None]).all(-1).double().argmax(1)
    expected = 2000 * log_p.softmax(0).numpy()
    counts = np.bincount(at, minlength=len(expected))
    often = expected > 5
    terms = (counts[often] - expected[often]) ** 2 / expected[often]
    rest = expected[~often].sum()
    assert chi2.sf(terms.sum(), often.sum()) > CHANCE and counts[~often].sum() < rest + 6 * rest**0.5 + 12
    assert {n: v.shape[1:] for n, v in drawn.items()} == {n: torch.Size(s) for n, s in model.sites.items()}


def test_means_of_discrete_sites_are_those_over_every_value(both):
    model, found = both
    x = found.prior(torch.Generator().manual_seed(3))
    log_p, every = listed(model, x)
    two = {n: v.expand(2, *v.shape) for n, v in x.items()}
    for power in (1, 2):
        means = found.mean(two, model.data, power)
        for name, z in every.items():
            exact = torch.tensordot(log_p.softmax(0), z.double() ** power, 1)
            assert torch.allclose(means[name], exact.expand(2, *exact.shape), rtol=1e-9)


def of(body: str) -> str:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f'{HEAD}\ndef model(y):\n    m = pyro.sample("m", dist.HalfNormal(1.))\n{lines}{DATA}'


Z = 'z = pyro.sample("z", dist.Bernoulli(0.3))\n'
PLATE = 'with pyro.plate("n", 4):\n    z = pyro.sample("z", dist.Bernoulli(0.3))\n'


@pytest.mark.parametrize(("text", "words"), [
    (of(Z + 'pyro.sample("y", dist.Normal(m if z else -m, 1.), obs=y[0])'), "it asks for one value"),
    (of(Z + 'pyro.sample("y", dist.Normal([m, -m][int(z)], 1.), obs=y[0])'), "it asks for one value"),
    (of('z = pyro.sample("z", dist.Poisson(m))\npyro.sample("y", dist.Normal(z, 1.), obs=y[0])'),
     "the site z has values without end"),
    (of('z = pyro.sample("z", dist.Bernoulli(0.3 * torch.ones(4)))\npyro.sample("y", dist.Normal(z, m), obs=y)'),
     "the site z has entries that are in no plate"),
    (of('z = pyro.sample("z", dist.Bernoulli(0.3 * torch.ones(4)).to_event(1))\n'
        'pyro.sample("y", dist.Normal(z, m).to_event(1), obs=y)'), "is one event of many entries"),
    (of(PLATE + 'pyro.sample("y", dist.Normal(z.sum(), m), obs=y[0])'), "log p of the site y is another one"),
    (of(PLATE + 'pyro.sample("y", dist.Normal(z @ torch.ones(4), m), obs=y[0])'), "the model"),
])
def test_what_cannot_be_summed_out_is_said(tmp_path, text, words):
    model = program(tmp_path, text)
    found = summed.of(model)
    assert isinstance(found, str) and words in found
    with pytest.raises(InputError, match="nuts_pyro is for continuous sites, the discrete ones being summed out"):
        summed.summed(model, "nuts_pyro")


def test_nothing_is_left_without_continuous_sites(tmp_path):
    with pytest.raises(InputError, match="every site here is discrete: use enumeration"):
        summed.summed(program(tmp_path, SWITCH), "nuts_pyro")
