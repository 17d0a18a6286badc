"""The ladder: program against log joint; conditionals against its slope, curvature and quadrature."""

import math
from itertools import combinations

import numpy as np
import pyro.poutine as poutine
import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from data.ratings import load_ratings
from errors import InputError
from experiments.problem3.checkpoints import real_split
from inference import load
from inference.drive import drive
from inference.factorization import ladder_gibbs, row_gibbs
from inference.factorization.predictive import Predictive
from inference.job import Plan, generator
from inference.method import Family
from models.factorization import Factorization
from models.ladder import RUNGS, Ladder, make, standardised
from models.ratings import Ratings
from tests.support import OUTSIDE

ALL = ["+".join(rungs) for n in range(1, 1 + len(RUNGS)) for rungs in combinations(RUNGS, n)
       if "noise" in rungs or "noise-per-user" not in rungs]
JESTER = OUTSIDE / "jester-5k.csv.gz"


@pytest.fixture(autouse=True)
def one_thread():
    """Matrices of two numbers: a second thread would only be waited for."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def problem(name, K=2, users=6, items=5, seed=0):
    rng = torch.Generator().manual_seed(seed)
    seen = torch.rand(users, items, generator=rng) < 0.6
    seen[1] = False
    user, item = seen.nonzero(as_tuple=True)
    model = make(name, users, items, K, prior_variance=1.5, noise_variance=0.8, pairs=(user, item))
    latents = model.prior(rng)
    return model, model.simulate(rng, latents), latents, rng


@pytest.mark.parametrize("name", ["plain", *ALL])
def test_program_and_log_joint_agree(name):
    model, data, _, rng = problem(name)
    for _ in range(3):
        latents = model.prior(rng)
        assert {site: tuple(x.shape) for site, x in latents.items()} == model.sites
        trace = poutine.trace(poutine.condition(model.program, latents)).get_trace(data)
        assert_close(model.log_joint(latents, data), trace.log_prob_sum(), rtol=1e-10, atol=1e-9)
        assert {n for n, node in trace.nodes.items() if node["type"] == "sample" and n in model.sites} == set(latents)
        U, V = model.product(latents)
        assert_close((U[data.user] * V[data.item]).sum(1), model.quantities(latents, data.pairs)["prediction"])


@pytest.mark.parametrize("name", ["biases", "noise+hierarchical", "noise+hierarchical+biases",
                                  "noise+noise-per-user", "noise+hierarchical+biases+noise-per-user"])
@pytest.mark.parametrize("side", ["U", "V"])
def test_rows_have_the_slope_and_curvature_of_the_log_joint(name, side):
    """Without noise a row is where log joint is flat; unit noises span minus its inverse curvature."""
    model, data, latents, _ = problem(name)

    def drawn(z):
        zs = {s: torch.zeros(n, model.width).double() for s, n in (("U", 6), ("V", 5))}
        zs[side] = z.expand_as(zs[side])
        new = ladder_gibbs.rows(model, latents, data, zs["U"], zs["V"], "compiled")
        rest.update({s: new[s] for s in new if side == "V" and s in ("U", "user_bias")})
        return model.rows(new, side)

    rest = dict(latents)
    mean = drawn(torch.zeros(model.width).double())
    spread = torch.stack([drawn(e) - mean for e in torch.eye(model.width).double()], -1)

    def log_density(rows):
        return model.log_joint({**rest, **model.from_rows(rows, side)}, data)

    slope = torch.autograd.functional.jacobian(log_density, mean)
    hessian = torch.autograd.functional.hessian(log_density, mean)
    assert_close(slope, torch.zeros_like(slope), atol=1e-8, rtol=0)
    covariance = torch.stack([torch.linalg.inv(-hessian[i, :, i, :]) for i in range(len(mean))])
    assert_close(spread @ spread.mT, covariance, rtol=1e-8, atol=1e-10)


def test_noise_is_what_quadrature_of_the_log_joint_says():
    """Kolmogorov and Smirnov on 4,000 draws: false alarm 1e-6."""
    model, data, latents, rng = problem("noise")
    x = torch.linspace(1e-3, 20, 200_001).double()
    log = torch.stack([model.log_joint({**latents, "sigma2": s}, data) for s in x[::100]])
    log = torch.from_numpy(np.interp(x, x[::100], log))
    cdf = (log - log.max()).exp().cumsum(0)
    draws = [float(ladder_gibbs.noise(rng, model, latents, data, "compiled")["sigma2"]) for _ in range(1000)]
    assert stats.kstest(draws, lambda s: np.interp(s, x, cdf / cdf[-1])).pvalue > 1e-6


@pytest.mark.parametrize("site", [pytest.param("sigma2", marks=pytest.mark.slow), "precision_user"])
def test_noise_per_user_satisfies_steins_identity(site):
    """As the hyperparameters below, for a precision: E[x . slope] = -1, and E[x^2 . slope] = -2 E[x] of each entry.
    Each given the other, 2,000 draws; every z score below 6: false alarm 3e-8 for up to 14 scores."""
    model, data, latents, rng = problem("noise+biases+noise-per-user")
    draw = {"sigma2": ladder_gibbs.noise, "precision_user": ladder_gibbs.noise_of_users}[site]
    values = []
    for _ in range(2000):
        x = draw(rng, model, latents, data, "compiled")[site].requires_grad_()
        (slope,) = torch.autograd.grad(model.log_joint({**latents, site: x}, data), x)
        values.append(torch.stack([x * slope + 1, x * x * slope + 2 * x]).flatten().detach())
    table = torch.stack(values)
    assert float((table.mean(0) / (table.std(0) / math.sqrt(len(table)))).abs().max()) < 6


@pytest.mark.parametrize("name", [pytest.param("hierarchical", marks=pytest.mark.slow), "hierarchical+biases"])
def test_hyperparameters_satisfy_steins_identity(name):
    """For x ~ p: E[slope of log p] = 0 and E[x . slope] = - (number of free entries); here p is the log joint itself.

    800 draws, every z score below 6: false alarm 4e-8 for up to 20 scores.
    """
    model, data, latents, rng = problem(name, users=12, items=9)
    values = []
    for _ in range(800):
        new = ladder_gibbs.normal_wishart(rng, model, latents)
        free = {s: x.clone().requires_grad_() for s, x in new.items()}
        model.log_joint({**latents, **free}, data).backward()
        found = []
        for x in free.values():
            slope = torch.zeros_like(x) if x.grad is None else x.grad
            rows, columns = torch.tril_indices(len(x), len(x))
            flat = slope if x.ndim == 1 else (slope + slope.mT)[rows, columns]
            count = len(x) if x.ndim == 1 else len(x) * (len(x) + 1) / 2
            found += [flat, ((x * slope).sum() + count)[None]]
        values.append(torch.cat(found).detach())
    table = torch.stack(values)
    z = table.mean(0) / (table.std(0) / math.sqrt(len(table)))
    assert float(z.abs().max()) < 6, z


@pytest.mark.parametrize("name", ["noise", "biases", "noise+hierarchical+biases", pytest.param(
    "noise+biases+noise-per-user", marks=pytest.mark.slow)])
def test_a_sweep_leaves_the_joint_distribution_alone(name):
    """Latents and ratings from the model; a sweep later they must be distributed as before (Geweke 2004).

    500 replicates, bounded functions, paired; 6 standard errors: false alarm 2e-9 a function.
    """
    model, _, _, rng = problem(name, K=1)
    changes = []
    for _ in range(500):
        old = model.prior(rng)
        data = model.simulate(rng, old)
        new, _ = ladder_gibbs.step(rng, ladder_gibbs.start(rng, model, data, old), model, data)
        changes.append(torch.stack(bounded(new.latents, model, data)) - torch.stack(bounded(old, model, data)))
    table = torch.stack(changes)
    z = table.mean(0) / (table.std(0) / math.sqrt(len(table)) + 1e-12)
    assert float(z.abs().max()) < 6, z


def bounded(latents, model, data):
    prediction = model.quantities(latents, data.pairs)["prediction"]
    found = [torch.tanh(prediction**2).mean(), torch.tanh(prediction * data.rating).mean(),
             torch.tanh(((prediction - data.rating) ** 2).mean())]
    if "sigma2" in latents:
        found.append(torch.tanh(latents["sigma2"]))
    if "precision_user" in latents:
        found.append(torch.tanh(latents["precision_user"] * latents["sigma2"]).mean())
    if "mean_U" in latents:
        found.append(torch.tanh(torch.logdet(latents["precision_U"]) + (latents["mean_U"] ** 2).sum()))
    return found


def test_without_rungs_it_is_row_gibbs_to_the_byte():
    model, data, _, _ = problem("plain")
    a, b = row_gibbs.init(generator(1, "x"), model, data), ladder_gibbs.init(generator(1, "x"), model, data)
    for seed in range(3):
        a, _ = row_gibbs.step(generator(seed, "y"), a, model, data)
        b, _ = ladder_gibbs.step(generator(seed, "y"), b, model, data)
    assert torch.equal(a.U, b.latents["U"]) and torch.equal(a.V, b.latents["V"])


@pytest.mark.parametrize("name", ALL)
def test_engines_agree(name):
    model, data, _, _ = problem(name)
    ends = []
    for engine in ("compiled", "torch"):
        rng = generator(5, "chain")
        state = ladder_gibbs.init(rng, model, data, engine=engine)
        for _ in range(4):
            state, _ = ladder_gibbs.step(rng, state, model, data)
        ends.append(state.latents)
    assert_close(ends[0], ends[1], rtol=1e-7, atol=1e-9)


def test_wrong_names_are_one_sentence():
    with pytest.raises(InputError, match="plain is the model without any rung: leave it out of 'plain"):
        make("plain+noise", 3, 2, 1)
    with pytest.raises(InputError, match="unknown rung of the model 'hierachical': did you mean 'hierarchical'"):
        make("hierachical+biases", 3, 2, 1)
    with pytest.raises(InputError, match="take noise\\+noise-per-user"):
        make("hierarchical+noise-per-user", 3, 2, 1)
    model, data, _, _ = problem("noise")
    with pytest.raises(InputError, match="a batch must hold between 1 and"):
        model.program(data, batch_size=10**6)
    assert type(make("plain", 3, 2, 1)) is Factorization and isinstance(make("biases", 3, 2, 1), Ladder)


@pytest.mark.skipif(not JESTER.exists(), reason="needs ../shared/data/jester-5k.csv.gz")
def test_hierarchical_with_biases_and_noise_beats_plain_on_jester():
    parts = real_split(load_ratings(JESTER, say=lambda line: None))
    nll = {}
    for name in ("plain", "noise+hierarchical+biases"):
        model = make(name, parts.train.num_users, parts.train.num_items, 3)
        observer = Predictive(model, {"test": parts.test}, Family.MCMC, detailed=())
        result = drive(load.method("factorization", "ladder_gibbs"), model, parts.train, Plan(40, 1, 20),
                       record=lambda latents: {}, observer=observer)
        nll[name] = float(result.expected["test_nll"])
    assert nll["noise+hierarchical+biases"] < nll["plain"] - 0.005


def test_hyper_where_the_rows_are_far_out():
    """Rows near 1e6 along one direction, as the prior makes them now and then: the precision there is df / scatter."""
    model = Ladder(4, 5, 2, noise=True, hierarchical=True, biases=True)
    rng = torch.Generator().manual_seed(0)
    along = torch.tensor([0.2, -0.55, 0.81], dtype=torch.float64)
    far = torch.randn(4, 1, generator=rng, dtype=torch.float64)
    rows = 1e6 * far * along + torch.randn(4, 3, generator=rng, dtype=torch.float64)
    latents = {**model.prior(rng), **model.from_rows(rows, "U")}
    draws = torch.stack([ladder_gibbs.normal_wishart(rng, model, latents)["precision_U"] for _ in range(1000)])
    S = torch.eye(3) + rows.mT @ rows - rows.sum(0).outer(rows.sum(0)) / (4 + 2)  # as n m m' / (2 + n) completes it
    value, vectors = torch.linalg.eigh(S)
    found = torch.einsum("k,nkl,l->n", vectors[:, -1], draws, vectors[:, -1]) * value[-1]  # chi-square of D + n = 7
    assert float(found.mean()) == pytest.approx(7, abs=5 * (14 / 1000) ** 0.5)


def test_noise_per_user_finds_the_noise_that_was_put_in():
    """400 users whose log sd varies by 0.5, 32 ratings each: each is known to 0.13, so that the correlation with the
    truth is about 0.96 +- 0.006; below 0.85, and a gain in NLL below 6 standard errors, has probability 1e-9."""
    rng = generator(0, "noise that was put in")
    users, items, N = 400, 200, 16_000
    pair = torch.randperm(users * items, generator=rng)[:N]
    user, item = pair // items, pair % items
    U, V = (0.7 * torch.randn(n, 2, generator=rng, dtype=torch.float64) for n in (users, items))
    sd = torch.exp(0.5 * torch.randn(users, generator=rng, dtype=torch.float64))
    rating = 3 + (U[user] * V[item]).sum(1) + sd[user] * torch.randn(N, generator=rng, dtype=torch.float64)
    data, held = Ratings(user, item, rating, users, items), torch.arange(N) % 5 == 0
    train, test, density = data.take(~held), data.take(held), []
    for name in ("noise+hierarchical+biases", "noise+hierarchical+biases+noise-per-user"):
        model = standardised(make(name, users, items, 2), train)
        result = drive(load.method("factorization", "ladder_gibbs"), model, train, Plan(80, 1, 30),
                       record=lambda latents: {s: x for s, x in latents.items() if s == "precision_user"},
                       observer=Predictive(model, {"test": test}, Family.MCMC))
        density.append(result.expected["test_log_density"])
    found = -0.5 * np.log(result.draws["precision_user"][0]).mean(0)
    assert np.corrcoef(found, sd.log())[0, 1] > 0.85
    gain = density[1] - density[0]
    assert gain.mean() > 6 * gain.std() / math.sqrt(len(gain))
    inside = np.abs(result.expected["test_pit"] - 0.5) < 0.45
    assert abs(inside.mean() - 0.9) < 6 * math.sqrt(0.09 / len(inside))
