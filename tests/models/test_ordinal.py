"""Ordered levels: program against log joint, probabilities against scipy, what is refused."""

from dataclasses import replace

import numpy as np
import pyro.poutine as poutine
import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from errors import InputError
from inference.factorization import composite_gibbs_pyro, ladder_gibbs
from inference.factorization.compiled import ordinal as compiled
from inference.factorization.parts import ordinal
from models.ordinal import fitted, levels_of, log_probability, named, probabilities
from models.ratings import Ratings
from models.rungs.time import DAY, PERIOD
from models.timed import Timed

pytestmark = pytest.mark.usefixtures("one_thread")
NAMES = ["ordinal", "hierarchical+ordinal", "hierarchical+biases+ordinal", "hierarchical+biases+features+ordinal",
         "ordinal+time", "hierarchical+biases+features+time+ordinal"]


def problem(name="hierarchical+biases+ordinal", K=2, users=7, items=5, levels=(1.0, 2.0, 3.0, 4.0, 5.0)):
    rng = torch.Generator().manual_seed(0)
    user, item = (torch.rand(users, items, generator=rng) < 0.6).nonzero(as_tuple=True)
    rating = torch.tensor(levels).double()[torch.randint(len(levels), (len(user),), generator=rng)]
    time = DAY * torch.tensor([3, 4, 3 + PERIOD])[torch.randint(3, (len(user),), generator=rng)]
    data = Ratings(user, item, rating, users, items, scale=(levels[0], levels[-1]), time=time)
    model = fitted(named(name, users, items, K, pairs=(user, item)), data)
    model = replace(model, times=time) if isinstance(model, Timed) else model
    return model, data, model.prior(rng), rng


@pytest.mark.parametrize("levels", [(0.0, 1.0), (1.0, 2.0, 3.0, 4.0, 5.0)])
@pytest.mark.parametrize("name", NAMES)
def test_program_and_log_joint_agree(name, levels):
    """Pyro's own ordered transform and categorical are the judge of the cutpoints' prior and of the levels."""
    model, data, latents, _ = problem(name, levels=levels)
    assert {site: tuple(x.shape) for site, x in latents.items()} == model.sites
    trace = poutine.trace(poutine.condition(model.program, latents)).get_trace(data)
    assert_close(model.log_joint(latents, data), trace.log_prob_sum(), rtol=1e-10, atol=1e-9)
    assert {n for n, node in trace.nodes.items() if node["type"] == "sample" and n in model.sites} == set(latents)


def test_probabilities_are_those_of_a_noisy_number_between_thresholds():
    cut, eta = torch.tensor([-1.0, 0.3, 2.0]).double(), torch.linspace(-6, 6, 25).double()
    theirs = np.diff(stats.norm.cdf(np.r_[-np.inf, cut, np.inf][:, None] - eta.numpy()), axis=0).T
    ours = probabilities(eta, cut)
    assert_close(ours, torch.from_numpy(theirs), atol=1e-14, rtol=0)
    for k in range(4):
        assert_close(log_probability(eta, cut, torch.full((25,), k)).exp(), ours[:, k], atol=1e-14, rtol=1e-9)
    wide = probabilities(eta, cut, 4.0)
    assert_close(wide[:, 0], torch.from_numpy(stats.norm.cdf((cut[0] - eta.numpy()) / 2)))


def test_times_that_are_not_known_widen_the_noise():
    """By quadrature over what an effect of a day, and of a period, without a training rating may be."""
    model, data, latents, _ = problem("ordinal+time", levels=(1.0, 2.0, 3.0))
    at = replace(data, time=data.time + 10**4 * DAY).take(torch.arange(3))
    x, w = np.polynomial.hermite_e.hermegauss(60)
    sds = [float(latents[f"precision_{of}"]) ** -0.5 for of in ("day", "period")]
    e = (sds[0] * x[:, None] + sds[1] * x).ravel()
    eta = (latents["U"][at.user] * latents["V"][at.item]).sum(1).numpy()
    edges = np.r_[-np.inf, latents["cutpoints"].numpy(), np.inf]
    each = np.diff(stats.norm.cdf(edges - eta[:, None, None] - e[:, None]), axis=-1)
    theirs = torch.from_numpy(np.einsum("nek,e->nk", each, np.outer(w, w).ravel() / w.sum() ** 2))
    assert_close(model.probabilities(latents, at), theirs, rtol=1e-6, atol=1e-9)
    assert_close(model.log_probability(latents, at).exp(), theirs.gather(1, model.codes(at)[:, None])[:, 0], rtol=1e-6,
                 atol=1e-9)
    assert_close(model.expected(latents, at), theirs @ model.levels_at)


def test_far_tails_are_finite_with_slopes():
    """Against the asymptotic log Phi(-x) = -x^2/2 - log(x sqrt(2 pi)) + log(1 - 1/x^2 + 3/x^4)."""
    eta = torch.tensor([-90.0, 90.0], dtype=torch.float64, requires_grad=True)
    cut = torch.tensor([0.0, 1.0]).double()
    log = log_probability(eta, cut, torch.tensor([2, 0]))
    x = torch.tensor([91.0, 90.0]).double()
    assert_close(log, -x**2 / 2 - torch.log(x * (2 * np.pi) ** 0.5) + torch.log1p(-1 / x**2 + 3 / x**4), rtol=1e-12,
                 atol=1e-9)
    log.sum().backward()
    assert_close(eta.grad, torch.tensor([1.0, -1.0]).double() * (x + 1 / x), rtol=1e-6, atol=0)
    inside = log_probability(torch.tensor([50.0]).double(), cut, torch.tensor([1]))
    assert np.isfinite(inside.item())


def test_predictions_never_leave_the_scale():
    model, _, latents, _ = problem()
    for size in (1.0, 100.0):
        mean = model.quantities({**latents, "U": size * latents["U"]})["prediction"]
        assert bool(((mean >= 1) & (mean <= 5)).all())


def test_levels():
    def of(values, scale=None):
        index = torch.zeros(len(values), dtype=torch.int64)
        return levels_of(Ratings(index, index, torch.tensor(values).double(), 1, 1, scale=scale))

    assert of([1.0, 5.0], (1, 5)) == (1, 2, 3, 4, 5) and of([1.0, 5.0]) == (1, 5)
    assert of([0.5, 4.0], (0.5, 5)) == (0.5, 4)
    with pytest.raises(InputError, match="2 to 21 levels, and these have 30 different values"):
        of([k / 7 for k in range(30)])


@pytest.mark.parametrize(("name", "why"), [("noise+ordinal", "leave noise out"), ("ordinal+tides", "tides"),
                                           ("features+ordinal", "add hierarchical")])
def test_what_cannot_be_is_a_sentence(name, why):
    with pytest.raises(InputError, match=why):
        named(name, 3, 2, 1)


def test_a_rating_that_is_no_level_is_a_sentence():
    model, data, latents, _ = problem()
    odd = Ratings(data.user, data.item, data.rating + 0.5, 7, 5)
    with pytest.raises(InputError, match="which is none of the levels of --model ordinal, 1, 2, 3, 4, 5"):
        model.log_joint(latents, odd)
    with pytest.raises(InputError, match="has no levels yet"):
        named("ordinal", 3, 2, 1).sites  # noqa: B018


@pytest.mark.parametrize(("low", "high"), [(-1.0, 0.5), (1.5, 1e8), (-1e8, -7.0), (-30.2, -30.0), (60.0, 61.0),
                                           (4.9, 5.3)])
def test_numbers_between_thresholds(low, high):
    """Against SciPy's truncated normal, quantile by quantile."""
    u = torch.linspace(0.001, 0.999, 41).double()
    ours = ordinal.between(torch.full_like(u, low), torch.full_like(u, high), u)
    theirs = torch.from_numpy(stats.truncnorm.ppf(u.numpy() if low <= 0 else 1 - u.numpy(), low, high))
    assert_close(ours, theirs, rtol=1e-8, atol=1e-8)


def bounded(latents, model, data):
    found = [torch.tanh(latents[s].square().sum()) for s in sorted(latents)] + [torch.tanh(latents["cutpoints"].sum())]
    eta = model.latent_mean(latents, data)
    return torch.stack([*found, torch.tanh(latents["cutpoints"][0]), torch.tanh(0.2 * (eta * data.rating).sum()),
                        torch.tanh((latents["U"][data.user] * latents["V"][data.item]).sum()),
                        torch.exp(log_probability(eta, latents["cutpoints"], model.codes(data)).mean())])


@pytest.mark.parametrize(("name", "levels", "pyro"), [
    ("hierarchical+biases+ordinal", (1.0, 2.0, 3.0), False), pytest.param(
        "ordinal", (0.0, 1.0), False, marks=pytest.mark.slow),
    pytest.param("hierarchical+features+ordinal", (1.0, 2.0, 4.0, 5.0), False, marks=pytest.mark.slow),
    pytest.param("ordinal+time", (1.0, 2.0, 3.0), False, marks=pytest.mark.slow), *(
        pytest.param(f"hierarchical+biases+ordinal{also}", (1.0, 2.0, 3.0), True, marks=pytest.mark.slow)
        for also in ("", "+time"))])
def test_a_sweep_leaves_the_joint_distribution_alone(name, levels, pyro):
    """Geweke 2004: 500 replicates (150 inside Pyro), bounded functions, 6 standard errors: false alarm 2e-9 each."""
    model, _, _, rng = problem(name, K=1, users=5, items=4, levels=levels)
    method = composite_gibbs_pyro if pyro else ladder_gibbs
    if pyro:
        assert {site for _, sites in method.blocks(model) for site in list(sites)} == set(model.sites)
    changes = []
    for _ in range(150 if pyro else 500):
        old = model.prior(rng)
        data = model.simulate(rng, old)
        state, _ = method.step(rng, method.start(rng, model, data, old), model, data)
        changes.append(bounded(method.draw(rng, state, model), model, data) - bounded(old, model, data))
    table = torch.stack(changes)
    z = table.mean(0) / (table.std(0) / len(table) ** 0.5 + 1e-12)
    assert float(z.abs().max()) < 6 and bool((table.std(0) > 0).all()), z


def test_compiled_and_torch_agree():
    """The thresholds from the same noise, and the numbers between them, tails and all."""
    model, _, latents, rng = problem(users=60, items=40)
    data = model.simulate(rng, latents)
    eta = 3 * torch.randn(len(data), generator=rng).double()
    eta[:6] = torch.tensor([-60.0, 60.0, -20.0, 20.0, -8.0, 8.0]).double()
    old = torch.tensor([-1.5, -0.4, 0.5, 1.7]).double()
    code, engines = model.codes(data), ("compiled", "torch")
    moved = [ordinal.cutpoints(torch.Generator().manual_seed(1), model, old, eta, code, e) for e in engines]
    numbers = [ordinal.latent_ratings(torch.Generator().manual_seed(1), old, eta, code, e) for e in engines]
    assert_close(moved[0], moved[1], rtol=1e-9, atol=1e-9)
    assert_close(numbers[0], numbers[1], rtol=1e-9, atol=1e-9)
    log = compiled.log_between(-40.5, -40.0)
    assert log == pytest.approx(float(log_probability(torch.zeros(1).double(), torch.tensor([-40.5, -40.0]).double(),
                                                      torch.tensor([1]))), rel=1e-12)
