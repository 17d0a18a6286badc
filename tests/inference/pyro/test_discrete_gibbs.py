"""DiscreteGibbs: its transition probabilities by enumeration, cells that touch each other, and what it refuses."""

from itertools import product

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import MCMC
from scipy.stats import chisquare

from errors import InputError
from inference.pyro.discrete_gibbs import DiscreteGibbs, _stride
from inference.pyro.held import survey, trace

pytestmark = pytest.mark.usefixtures("one_thread")


def pair():
    """Two cells of a plate that touch each other by a factor outside it."""
    with pyro.plate("cells", 2):
        z = pyro.sample("z", dist.Categorical(torch.tensor([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])))
    pyro.factor("alike", 1.5 * (z[0] == z[1]).float())


def apart():
    """The same without the factor, and with terms of the cells: they may be drawn together."""
    with pyro.plate("cells", 2):
        z = pyro.sample("z", dist.Categorical(torch.tensor([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])))
        pyro.sample("y", dist.Normal(z.float(), 1.0), obs=torch.tensor([1.3, 0.4]))


def inside_plate():
    """Cells that touch within the plate, which a plate promises they do not."""
    with pyro.plate("cells", 2):
        z = pyro.sample("z", dist.Bernoulli(torch.tensor([0.4, 0.5])))
        pyro.sample("y", dist.Normal(z + z.flip(0), 0.7), obs=torch.tensor([1.0, 1.6]))


def one_hots():
    with pyro.plate("cells", 2):
        z = pyro.sample("z", dist.OneHotCategorical(torch.tensor([0.5, 0.3, 0.2])))
        pyro.sample("y", dist.Normal(z @ torch.tensor([0.0, 1.0, 2.0]), 1.0), obs=torch.tensor([1.3, 0.4]))


def rows():
    """Two Bernoullis in each of two cells, not in a plate of their own."""
    with pyro.plate("cells", 2):
        z = pyro.sample("z", dist.Bernoulli(torch.tensor([0.4, 0.5])).expand([2, 2]).to_event(1))
        pyro.sample("y", dist.Normal(z.sum(-1), 1.0), obs=torch.tensor([0.3, 1.4]))


def two_plates():
    with pyro.plate("b", 2, dim=-2), pyro.plate("a", 2, dim=-1):
        z = pyro.sample("z", dist.Bernoulli(torch.tensor([[0.4, 0.5], [0.2, 0.7]])))
        pyro.sample("y", dist.Normal(z, 1.0), obs=torch.tensor([[0.3, 1.4], [0.2, 0.1]]))


def bounded():
    """n trials, at least as many as were seen; k of them, whose support ends at n."""
    n = pyro.sample("n", dist.Categorical(torch.ones(5)))
    k = pyro.sample("k", dist.Binomial(n.float(), torch.tensor(0.6)))
    pyro.sample("y", dist.Binomial(k, torch.tensor(0.5)), obs=torch.tensor(2.0))


def exact(model):
    """Every state and its probability, by the density of torch.distributions, validated."""
    seen = survey(model, (), {})
    spaces: list[list[torch.Tensor]] = []
    for site in seen.sites.values():
        if model is bounded:
            spaces.append([torch.tensor(level).to(site.value) for level in range(5)])
        elif model is one_hots:
            spaces.append([torch.stack(pair) for pair in product(torch.eye(3), repeat=2)])
        else:
            levels = range(3 if model in (pair, apart) else 2)
            spaces.append([torch.tensor(cells).reshape(site.value.shape).to(site.value)
                           for cells in product(levels, repeat=site.value.numel())])
    states = [dict(zip(seen.sites, state, strict=True)) for state in product(*spaces)]
    log = []
    for state in states:
        try:
            found = pyro.poutine.trace(pyro.poutine.condition(model, data=state)).get_trace()
            log.append(float(found.log_prob_sum()))
        except ValueError:  # torch's own validation: outside a support
            log.append(-torch.inf)
    return states, torch.tensor(log, dtype=torch.float64).softmax(0)


def key(state):
    return tuple(x for name in sorted(state) for x in state[name].flatten().tolist())


MODELS = [pair, apart, inside_plate, one_hots, rows, two_plates, bounded]
OPTIONS = [{}, {"modified": True}, {"random_walk": True}, {"random_walk": True, "modified": True}]
DEFAULT = {(pair, 0), (bounded, 3)}  # the others are slow


@pytest.mark.parametrize("model, options", [
    pytest.param(model, options, marks=[] if (model, n) in DEFAULT else pytest.mark.slow)
    for model in MODELS for n, options in enumerate(OPTIONS)])
def test_every_draw_of_a_chain_is_of_the_exact_distribution(model, options):
    """Chains that start from exact draws end in exact draws: 200 chains of 2 sweeps, chi-square of where they end.

    States rarer than 1/25 are one bin, so 8 are expected in any other; at level 1e-8, which leaves room for what
    chi-square's tail is off with so few.
    """
    states, p = exact(model)
    pyro.set_rng_seed(7)
    kernel = DiscreteGibbs(model, **options)
    kernel.setup(0)
    names, counts = {key(state): n for n, state in enumerate(states)}, torch.zeros(len(states))
    for start in torch.multinomial(p, 200, replacement=True).tolist():
        now = states[start]
        for _ in range(2):
            now = kernel.sample(now)
        counts[names[key(now)]] += 1
    often = p > 1 / 25
    seen = [*counts[often].tolist(), float(counts[~often].sum())]
    asked = [*(200 * p[often]).tolist(), float(200 * p[~often].sum())]
    if asked[-1] == 0:
        assert seen.pop() == 0
        asked.pop()
    assert chisquare(seen, asked).pvalue > 1e-8, (seen, asked)
    if "random_walk" not in options or model is inside_plate:  # else three values of two cells are more than a walk's
        assert bool(kernel._apart.get("z")) == (model in (pair, inside_plate))


def test_cells_of_a_plate_cost_as_many_runs_as_there_are_values():
    runs = []

    def counted():
        runs.append(1)
        apart()

    kernel = DiscreteGibbs(counted)
    kernel.setup(0)
    runs.clear()
    kernel.sample(kernel.initial_params or {})
    assert len(runs) <= 5  # where it is, three values, where it goes: not three values of every cell


def test_counts_without_end_by_a_random_walk():
    """n ~ Poisson(4), y ~ Binomial(n, 0.5): n - y given y is Poisson(2). 20 batches, t below 8.5: 7e-8 each."""
    def trials():
        n = pyro.sample("n", dist.Poisson(4.0))
        pyro.sample("y", dist.Binomial(n, torch.tensor(0.5)), obs=torch.tensor(3.0))

    with pytest.raises(InputError, match=r"the site n has infinitely many values: use DiscreteGibbs\(random_walk=T"):
        DiscreteGibbs(trials).setup(0)
    pyro.set_rng_seed(2)
    run = MCMC(DiscreteGibbs(trials, random_walk=True), num_samples=1500, warmup_steps=50, disable_progbar=True)
    run.run()
    n = run.get_samples()["n"]
    assert float(n.min()) >= 3
    for values, truth in ((n, 5.0), ((n - 5) ** 2, 2.0)):
        batches = values.reshape(20, -1).mean(1)
        assert abs(float(batches.mean()) - truth) < 8.5 * float(batches.std()) / 20**0.5


def test_strides_of_the_walk_are_symmetric_and_of_every_size():
    """Each of 16 is drawn 250 times in 4,000, sd 15: 7 of them, false alarm 4e-11 in all."""
    torch.manual_seed(1)
    x = torch.full((4000,), 3.0)
    strides, counts = (_stride(x) - x).unique(return_counts=True)
    assert strides.tolist() == sorted(sign * 2.0**j for j in range(8) for sign in (-1, 1))
    assert bool((counts - 250).abs().max() < 7 * 15.4)


def continuous():
    pyro.sample("x", dist.Normal(0.0, 1.0))


def multinomial():
    pyro.sample("x", dist.Multinomial(3, torch.ones(2)))


def wide():
    pyro.sample("x", dist.Binomial(20_000, torch.tensor(0.5)))


def nothing():
    pyro.sample("y", dist.Normal(0.0, 1.0), obs=torch.tensor(0.0))


def undefined():
    z = pyro.sample("z", dist.Bernoulli(0.01))
    pyro.factor("f", torch.where(z == 1, torch.nan, 0.0))


@pytest.mark.parametrize("model, message", [
    (continuous, "DiscreteGibbs moves discrete sites, and x is continuous"),
    (multinomial, "DiscreteGibbs cannot move the site x, of Multinomial"),
    (wide, r"the site x has 20001 values, and DiscreteGibbs tries each: use DiscreteGibbs\(random_walk=True\)"),
    (nothing, "no discrete latent site"),
    (undefined, "log p of the site f is NaN"),
])
def test_what_it_cannot_do_is_a_sentence(model, message):
    pyro.set_rng_seed(0)
    with pytest.raises(InputError, match=message):
        MCMC(DiscreteGibbs(model), num_samples=3, warmup_steps=0, disable_progbar=True).run()


def test_the_density_is_zero_outside_a_support():
    """Binomial(3, p) at 5 has a log_prob in torch; here it is -inf."""
    def trials():
        n = pyro.sample("n", dist.Categorical(torch.ones(8)))
        pyro.sample("y", dist.Binomial(n.float(), torch.tensor(0.5)), obs=torch.tensor(5.0))

    kernel = DiscreteGibbs(trials)
    kernel.setup(0)
    found = trace(pyro.poutine.condition(kernel._held, data={"n": torch.tensor(3)}), (), {})
    assert float(found.nodes["y"]["log_prob"]) == -torch.inf
