"""Composite Gibbs where supports depend on other sites, where values cannot be, and where the model changes."""

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import HMC, MCMC, NUTS, RandomWalkKernel
from pyro.infer.mcmc.mcmc_kernel import MCMCKernel

from errors import InputError
from inference.pyro.gibbs import DiscreteGibbs, Gibbs
from inference.pyro.held import Held, survey, trace
from models import supports

pytestmark = pytest.mark.usefixtures("one_thread")
SEEN = torch.tensor(2.5)


def up_to(y):
    """The end of a uniform is a latent itself: E[x] by quadrature below."""
    hi = pyro.sample("hi", dist.Gamma(2.0, 0.3))
    x = pyro.sample("x", dist.Uniform(torch.tensor(0.0), hi))
    pyro.sample("y", dist.Normal(x, 2.0), obs=y)


def exact_up_to():
    hi, share = np.linspace(1e-4, 80, 4001)[:, None], (np.arange(1000) + 0.5) / 1000
    p = hi * np.exp(-0.3 * hi) * np.exp(-((2.5 - hi * share) ** 2) / 8)  # x = hi * share
    return {"x": float((p * hi * share).sum() / p.sum()), "hi": float((p * hi).sum() / p.sum())}


def draw_hi(values, y):
    """p(hi | x) ~ hi exp(-0.3 hi) / hi above x."""
    return {"hi": values["x"] + torch.empty(()).exponential_() / 0.3}


def walk(model):
    return RandomWalkKernel(model, init_step_size=1.5)


@pytest.mark.parametrize("blocks, sweeps", [
    ([(draw_hi, "hi"), (walk, "x")], 300),
    pytest.param([(walk, None)], 500, marks=pytest.mark.slow),
    pytest.param([(draw_hi, "hi"), (NUTS, "x")], 1500, marks=pytest.mark.slow),
    pytest.param([(NUTS, "hi"), (NUTS, "x")], 3000, marks=pytest.mark.slow),
    pytest.param([(NUTS, ["hi", "x"])], 3000, marks=pytest.mark.slow),
], ids=["walk", "walk together", "NUTS", "NUTS apart", "NUTS together"])
def test_a_support_that_depends_on_another_site(blocks, sweeps):
    """Whether the other site is in another block or in the same. 20 batches, t below 8.5: false alarm 7e-8 each."""
    pyro.set_rng_seed(4)
    run = MCMC(Gibbs(up_to, blocks), num_samples=sweeps, warmup_steps=100, disable_progbar=True)
    run.run(SEEN)
    for name, truth in exact_up_to().items():
        values = run.get_samples()[name]
        batches = values.reshape(20, -1).mean(1)
        assert abs(float(batches.mean()) - truth) < 8.5 * float(batches.std()) / 20**0.5, name
    assert bool((run.get_samples()["x"] <= run.get_samples()["hi"]).all())


def test_the_density_of_a_free_site_has_its_jacobian():
    """log p(hi, x_free) = log p(hi) + log p(x | hi) + log dx / dx_free at x = hi / (1 + exp(-x_free))."""
    seen = survey(up_to, (SEEN,), {})
    assert [name for name, site in seen.sites.items() if site.moves] == ["x"]
    held = Held(up_to, {}, ["hi", "x"], seen)
    hi, free = torch.tensor(3.0), torch.tensor(0.4)
    found = trace(pyro.poutine.condition(held, data={"hi": hi, "x_free": free}), (SEEN,), {})
    share = 1 / (1 + np.exp(-0.4))
    truth = (float(dist.Gamma(2.0, 0.3).log_prob(hi)) - np.log(3) + np.log(3 * share * (1 - share))
             + float(dist.Normal(3 * share, 2.0).log_prob(SEEN)))
    assert float(found.log_prob_sum()) == pytest.approx(truth, abs=1e-5)
    assert float(found.nodes["x"]["value"]) == pytest.approx(3 * share, rel=1e-6)


def sometimes(y):
    """A third latent in some runs."""
    x = pyro.sample("x", dist.Normal(0.0, 1.0))
    if x > 0:
        pyro.sample("more", dist.Normal(0.0, 1.0))
    pyro.sample("y", dist.Normal(x, 1.0), obs=y)


def rarely(y):
    """A site that no run of the prior will have, and the posterior has."""
    x = pyro.sample("x", dist.Normal(0.0, 1.0))
    if x > 4.5:
        pyro.sample("more", dist.Normal(0.0, 1.0))
    pyro.sample("y", dist.Normal(x, 0.01), obs=y)


def vanishes(y):
    """A site that every run of the prior has, and the posterior has not."""
    x = pyro.sample("x", dist.Normal(0.0, 1.0))
    if x < 4.5:
        pyro.sample("more", dist.Normal(0.0, 1.0))
    pyro.sample("y", dist.Normal(x, 0.01), obs=y)


def switched(y):
    """A support that no run of the prior has, and the posterior has."""
    x = pyro.sample("x", dist.Normal(0.0, 1.0))
    pyro.sample("u", dist.Uniform(0.0, 1.0 if x < 4.5 else 2.0))
    pyro.sample("y", dist.Normal(x, 0.01), obs=y)


def grows(y):
    n = pyro.sample("n", dist.Categorical(torch.ones(50)))
    pyro.sample("x", dist.Normal(torch.zeros(int(n) + 1), 1.0).to_event(1))


def jump(values, y):
    return {"x": torch.tensor(5.0)}


@pytest.mark.parametrize("model, blocks, message", [
    (sometimes, [(NUTS, None)], "the model draws the site more in some runs and not in others"),
    (rarely, [(jump, "x")], "the model draws the site more in some runs and not in others"),
    (vanishes, [(jump, "x"), (walk, "more")], "the model draws the site more in some runs and not in others"),
    (rarely, [(walk, "x")], "the model draws the site more in some runs and not in others"),
    (switched, [(jump, "x"), (walk, None)], "the support of the site u was Interval"),
    (grows, [(DiscreteGibbs, "n"), (walk, None)], "the site x has the shape"),
])
def test_a_model_that_changes_is_refused(model, blocks, message):
    pyro.set_rng_seed(0)
    with pytest.raises(InputError, match=message):
        MCMC(Gibbs(model, blocks), num_samples=300, warmup_steps=300, disable_progbar=True).run(torch.tensor(5.0))


def scale_model(y):
    scale = pyro.sample("scale", dist.Exponential(1.0))
    pyro.sample("y", dist.Normal(0.0, scale), obs=y)


def undefined(y):
    x = pyro.sample("x", dist.Normal(0.0, 1.0))
    pyro.factor("f", torch.where(x > 1e6, torch.nan, 0.0))


def impossible(y):
    x = pyro.sample("x", dist.Beta(1.0, 1.0))
    pyro.sample("y", dist.Pareto(x + 3, 2.0), obs=y)  # torch has a finite log_prob below the scale


@pytest.mark.parametrize("model, drawn, start, message", [
    (scale_model, {"scale": -1.0}, None, r"returned 1 of 1 values of the site scale outside its support, Greater"),
    (scale_model, {"scale": 0.0}, None, "the log joint is not finite: the density of the site y|log p of the site y"),
    (undefined, {"x": 2e6}, None, "where the blocks of Gibbs left the chain, the log joint is not finite: log p of"),
    (undefined, {"x": 0.0}, {"x": 2e6}, "at initial_params, the log joint is not finite: log p of the site f is NaN"),
    (undefined, {"x": 0.0}, {"y": 2e6}, "initial_params lacks the site x"),
    (impossible, {"x": 0.5}, None, "none of 100 draws of the prior is possible given the data .1 of 1 values"),
    (up_to, {"x": 1e6}, None, "not finite: 1 of 1 values of the site x lie outside Interval"),
])
def test_values_that_cannot_be_are_refused(model, drawn, start, message):
    pyro.set_rng_seed(0)
    (name, value), = drawn.items()
    blocks = [(lambda values, y: {name: torch.tensor(value)}, name)]
    if model is up_to:
        blocks.append((draw_hi, "hi"))
        blocks.reverse()
    with pytest.raises(InputError, match=message):
        MCMC(Gibbs(model, blocks), num_samples=3, warmup_steps=0, disable_progbar=True,
             initial_params=start and {key: torch.tensor(x) for key, x in start.items()}).run(SEEN)


class Remembers(MCMCKernel):
    """A Metropolis walk that keeps its energy under a name of its own, and sets itself up where it is told to."""

    initial_params: dict[str, torch.Tensor] | None = None

    def __init__(self, model):
        self.model, self.transforms, self.setups = model, {}, 0

    def energy(self, params):
        args = pyro.poutine.condition(self.model, data=params)
        return float(pyro.poutine.trace(args).get_trace(*self.args).log_prob_sum())

    def setup(self, warmup_steps, *args):
        self.args, self.setups = args, self.setups + 1
        self.kept = self.energy(self.initial_params)

    def sample(self, params):
        moved = {name: x + torch.randn(x.shape) for name, x in params.items()}
        energy = self.energy(moved)
        if float(torch.rand(()).log()) < energy - self.kept:
            params, self.kept = moved, energy
        return params


class Elsewhere(Remembers):
    def setup(self, warmup_steps, *args):
        self.initial_params = {"a": torch.tensor(0.5)}
        super().setup(warmup_steps, *args)


class Hooked(Elsewhere):
    def refresh(self, params):
        self.kept = self.energy(params)


class Blind(Remembers):
    def energy(self, params):
        return 0.0


def two(y):
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b", dist.Normal(a, 0.5))
    pyro.sample("y", dist.Normal(b, 0.5), obs=y)


def draw_b(values, y):
    return {"b": (values["a"] + y) / 2 + torch.randn(()) * 0.125**0.5}


@pytest.mark.parametrize("kernel", [Remembers, Hooked])
def test_a_kernel_that_remembers_is_set_up_anew_or_refreshed(kernel):
    """a | y = 2.5 is N(2.5 / 1.5, 1 / 3). 20 batches, t below 8.5: false alarm 7e-8 each."""
    pyro.set_rng_seed(1)
    run = MCMC(Gibbs(two, [(kernel, "a"), (draw_b, "b")]), num_samples=500, warmup_steps=20, disable_progbar=True)
    run.run(SEEN)
    a = run.get_samples()["a"]
    for values, truth in ((a, 2.5 / 1.5), ((a - 2.5 / 1.5) ** 2, 1 / 3)):
        batches = values.reshape(20, -1).mean(1)
        assert abs(float(batches.mean()) - truth) < 8.5 * float(batches.std()) / 20**0.5
    assert run.kernel.kernels[0].setups == (1 if kernel is Hooked else 521)


def knows(kernel):
    """The kernel, made to look before each sample: what it remembers of the energy is the energy where it is."""
    class Looks(kernel):  # type: ignore[misc, valid-type]
        looked = 0

        def sample(self, params):
            kept = self._energy_last if kernel is RandomWalkKernel else self._potential_energy_last
            if kept is not None:
                assert float(kept) == pytest.approx(float(self.potential_fn(params)), abs=1e-5)
            self.looked += 1
            return super().sample(params)

    return Looks


@pytest.mark.parametrize("kernel", [HMC, NUTS, RandomWalkKernel])
def test_what_pyros_kernels_remember_is_of_the_present_values(kernel):
    pyro.set_rng_seed(1)
    run = MCMC(Gibbs(two, [(draw_b, "b"), (knows(kernel), "a")]), num_samples=4, warmup_steps=2, disable_progbar=True)
    run.run(SEEN)
    assert run.kernel.kernels[1].looked == 6


@pytest.mark.parametrize("kernel, message", [
    (Elsewhere, r"Elsewhere may keep what it knew .* give it a method refresh\(params\) that forgets it"),
    (Blind, "Blind never ran the model that it was given"),
    (lambda model: NUTS(model, jit_compile=True), "NUTS with jit_compile keeps the other blocks' values"),
])
def test_a_kernel_that_cannot_know_where_the_others_are_is_refused(kernel, message):
    with pytest.raises(InputError, match=message):
        MCMC(Gibbs(two, [(kernel, "a"), (draw_b, "b")]), num_samples=3, warmup_steps=0, disable_progbar=True).run(SEEN)


def test_the_same_support_and_a_density_outside_it():
    uniform, other = dist.Uniform(0.0, torch.tensor(2.0)), dist.Uniform(0.0, torch.tensor(2.5))
    assert supports.same(uniform.support, dist.Uniform(0.0, torch.tensor(2.0)).support)
    assert not supports.same(uniform.support, other.support)
    assert not supports.same(uniform.support, dist.Normal(0.0, 1.0).support)
    wide, narrow = (dist.Uniform(torch.zeros(2), torch.tensor([1.0, end])).to_event(1).support for end in (1.0, 2.0))
    assert not supports.same(wide, narrow)
    with pyro.validation_enabled(False):
        rate = dist.Exponential(torch.ones(2))
        masked = dist.Poisson(torch.ones(2)).mask(torch.tensor([False, True]))
        outside = torch.tensor([-1.0, 1.0])
        assert rate.log_prob(outside).tolist() == [1.0, -1.0]  # torch's
        assert supports.guarded(rate).log_prob(outside).tolist() == [-torch.inf, -1.0]
        assert supports.guarded(masked).log_prob(outside).tolist() == [0.0, -1.0]
    normal = dist.Normal(0.0, 1.0)
    assert supports.guarded(normal) is normal
