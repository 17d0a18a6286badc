"""Blocks of Gibbs in every form: what moves them, and which sites; wrong ones are named."""

from functools import partial

import arviz as az
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import HMC, MCMC, NUTS, RandomWalkKernel

from errors import InputError
from inference.factorization.kernel_row_gibbs_pyro import RowGibbs
from inference.pyro.blocks import kernel_of
from inference.pyro.gibbs import DiscreteGibbs, Gibbs
from tests.models.test_ladder import problem

pytestmark = pytest.mark.usefixtures("one_thread")
DATA = torch.tensor([0.3, 1.9, 1.1])


def model(data):
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b", dist.Normal(a, 1.0))
    twice = pyro.deterministic("twice", 2 * b)
    z = pyro.sample("z", dist.Bernoulli(0.4))
    with pyro.plate("data", len(data)):
        pyro.sample("x", dist.Normal(twice + z, 1.0), obs=data)


def draw_a(values, data):
    return {"a": values["b"] / 2 + torch.randn(()) * 0.5**0.5}


def with_default(values, data, scale=0.5):
    return {"a": values["b"] / 2 + torch.randn(()) * scale**0.5}


class Drawn:
    """An object that is called, and a method of it."""

    def __call__(self, values, data):
        return draw_a(values, data)

    def method(self, values, data):
        return draw_a(values, data)


def make(model, steps=3):
    return HMC(model, num_steps=steps, step_size=0.5)


def run(blocks, of=model, data=DATA, samples=3, warmup=2):
    pyro.set_rng_seed(1)
    found = MCMC(Gibbs(of, blocks), num_samples=samples, warmup_steps=warmup, disable_progbar=True)
    found.run(data)
    return found


REST = [(RandomWalkKernel, "b"), (DiscreteGibbs, ["z"])]


@pytest.mark.parametrize("how", [draw_a, with_default, partial(with_default, scale=0.5), Drawn(), Drawn().method,
                                 lambda values, *args: draw_a(values, *args)])
def test_a_conditional_may_be_anything_that_is_called(how):
    assert run([(how, "a"), *REST]).kernel.kernels[0] is None


@pytest.mark.parametrize("how", [NUTS, partial(NUTS, max_tree_depth=2), make, partial(make, steps=2), HMC(model),
                                 lambda model: HMC(model, num_steps=2), lambda program: NUTS(program, max_tree_depth=2),
                                 NUTS(model, max_tree_depth=2), RandomWalkKernel(model, init_step_size=0.5)])
def test_a_kernel_may_be_a_class_a_function_a_lambda_or_a_kernel(how):
    found = run([(how, "a"), *REST], samples=8, warmup=12)
    assert found.kernel.kernels[0].model.free == ["a"] and found.kernel.kernels[0] is not how
    assert len(found.get_samples()["a"].unique()) > 1


def test_a_model_without_arguments_and_functions_that_could_be_either():
    """Both take one argument: what they return says which they are, at the cost of no randomness."""
    def closed():
        model(DATA)

    pyro.set_rng_seed(1)
    found = MCMC(Gibbs(closed, [(lambda values: draw_a(values, DATA), "a"), (lambda m: NUTS(m, max_tree_depth=2), "b"),
                                (lambda m: DiscreteGibbs(m), None)]), num_samples=2, disable_progbar=True)
    found.run()
    assert [kernel and type(kernel) for kernel in found.kernel.kernels] == [None, NUTS, DiscreteGibbs]
    held, before = found.kernel._held[0], torch.get_rng_state()
    assert kernel_of(lambda values: draw_a(values, DATA), held, ((), {})) is None
    assert torch.equal(torch.get_rng_state(), before)


def test_a_kernel_given_as_it_is_serves_two_chains_and_two_blocks():
    """Each block of each chain has a copy of its own; the one that was given is left as it was."""
    given = RandomWalkKernel(model, init_step_size=0.5)
    one = run([(given, "a"), (given, "b"), (DiscreteGibbs, "z")])
    made = [(lambda model: RandomWalkKernel(model, init_step_size=0.5), name) for name in "ab"]
    other = run([*made, (DiscreteGibbs, "z")])
    assert all(torch.equal(x, other.get_samples()[name]) for name, x in one.get_samples().items())
    assert given._t == 0 and given.model is model


@pytest.mark.parametrize("sites, first", [
    ("z", ["z"]), (["z"], ["z"]), (("z",), ["z"]), ({"z"}, ["z"]), (lambda names: "z", ["z"]),
    (lambda names: [n for n in names if n == "z"], ["z"]),
    (lambda name: name.startswith("z"), ["z"]), (lambda name: name == "z", ["z"]),
    (lambda name: name in ("z",), ["z"]),
])
def test_sites_by_name_and_by_a_function(sites, first):
    kernel = run([(DiscreteGibbs, sites), (NUTS, None)]).kernel
    assert kernel._mine == [first, ["a", "b"]]


@pytest.mark.parametrize("blocks, message", [
    ([(NUTS, None), (DiscreteGibbs, "z"), (HMC, None)], "two blocks of Gibbs have None for their sites"),
    ([(NUTS, ["a", "b"]), (DiscreteGibbs, "z"), (HMC, None)], "the block of HMC has no site to move"),
    ([(NUTS, ["a", "b"]), (DiscreteGibbs, lambda name: name.startswith("k")), (NUTS, "z")], "has no site to move"),
    ([(NUTS, None)], r"NUTS moves continuous sites, and z is discrete: .* as \(DiscreteGibbs, \['z'\]\)"),
    ([(DiscreteGibbs, ["z", "a"]), (NUTS, None)], "DiscreteGibbs moves discrete sites, and a is continuous"),
    ([NUTS], "a block of Gibbs is a pair, what moves it and its sites"),
    ([("NUTS", None)], "a block of Gibbs is a pair, what moves it and its sites"),
    ([(NUTS, "twice"), (DiscreteGibbs, None)], "names the site twice: the model's latent sites are a, b, z"),
    ([(lambda: None, "a"), *REST], "cannot move a block of Gibbs: a conditional takes the values of all sites"),
    ([(lambda model: 3, "a"), *REST], "takes the model alone, so it must make a Pyro kernel, and it returned a int"),
    ([(NUTS(potential_fn=lambda z: 0.0), "a"), *REST], "is made of a potential_fn"),
    ([(NUTS(lambda data: None), "a"), *REST], "runs on another model than Gibbs itself"),
])
def test_wrong_blocks_are_named(blocks, message):
    with pytest.raises(InputError, match=message):
        run(blocks)


def test_deterministic_sites_reach_a_conditional_at_the_present_values():
    seen = []

    def draw(values, data):
        seen.append((float(values["twice"]), float(values["b"])))
        return draw_a(values, data)

    found = run([(RandomWalkKernel, "b"), (draw, "a"), (DiscreteGibbs, None)])
    assert seen and all(twice == 2 * b for twice, b in seen) and len(set(seen)) > 1
    assert set(found.get_samples()) == {"a", "b", "z"}


@pytest.mark.slow
def test_gibbs_in_a_block_of_gibbs():
    """a, b, z | x = DATA: E[b] against the two normals of z. 20 batches, t below 8.5: false alarm 7e-8."""
    inner = partial(Gibbs, blocks=[(draw_a, "a"), (partial(RandomWalkKernel, init_step_size=0.7), "b")])
    b = run([(inner, ["a", "b"]), (DiscreteGibbs(modified=True), "z")], samples=500).get_samples()["b"]
    weight, mean = [], []
    for z, p in ((0.0, 0.6), (1.0, 0.4)):  # b ~ N(0, 2), x ~ N(2 b + z, 1)
        precision, slope = 0.5 + 4 * len(DATA), float(2 * (DATA - z).sum())
        mean.append(slope / precision)
        weight.append(p * torch.tensor(0.5 * slope**2 / precision - 0.5 * float((DATA - z).square().sum())).exp())
    batches = b.reshape(20, -1).mean(1)
    exact = float(sum(w * m for w, m in zip(weight, mean, strict=True)) / sum(weight))
    assert abs(float(batches.mean()) - exact) < 8.5 * float(batches.std()) / 20**0.5


class Diverges(NUTS):
    """Says that it diverged in the samples that a test likes."""

    def diagnostics(self):
        return super().diagnostics() | {"divergences": [0, 2] if self.model.free == ["a"] else [2]}


def test_arviz_reads_gibbs_and_row_gibbs():
    found = run([(Diverges, "a"), (Diverges, "b"), (DiscreteGibbs, None)], samples=4)
    assert found.diagnostics()["divergences"] == {"chain 0": [0, 2]}
    data = az.from_pyro(found, log_likelihood=False)
    assert data.sample_stats["diverging"].values.tolist() == [[True, False, True, False]]
    assert dict(data.posterior.sizes) == {"chain": 1, "draw": 4}
    of, ratings, _, _ = problem("plain")
    rows = MCMC(RowGibbs(of), num_samples=4, warmup_steps=1, disable_progbar=True)
    rows.run(ratings)
    data = az.from_pyro(rows, log_likelihood=False)
    assert not data.sample_stats["diverging"].values.any() and data.posterior["U"].shape[:2] == (1, 4)
    alone = MCMC(DiscreteGibbs(lambda: pyro.sample("z", dist.Bernoulli(0.4))), num_samples=4, disable_progbar=True)
    alone.run()
    assert az.from_pyro(alone, log_likelihood=False).posterior["z"].shape == (1, 4)
