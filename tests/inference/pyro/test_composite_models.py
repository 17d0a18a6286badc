"""Composite Gibbs on models that people write, each against enumeration, a closed form or quadrature.

Means of a chain in 20 batches; t scores below 8.5: false alarm 7e-8 each by Student's t with 19 degrees of freedom.
"""

import math
import re
import runpy
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import HMC, MCMC, NUTS, RandomWalkKernel
from scipy.special import betaln, gammaln
from scipy.stats import norm

from inference.pyro.gibbs import DiscreteGibbs, Gibbs
from tests.support import ROOT

pytestmark = pytest.mark.usefixtures("one_thread", "doubles")


@pytest.fixture
def doubles():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def chain(model, blocks, *data, sweeps=600, warmup=60, start=None):
    pyro.set_rng_seed(3)
    kernel = blocks(model) if callable(blocks) else Gibbs(model, blocks)
    run = MCMC(kernel, num_samples=sweeps, warmup_steps=warmup, disable_progbar=True, initial_params=start)
    run.run(*data)
    return run.get_samples()


def agree(values, exact):
    batches = values.double().reshape(20, -1).mean(1)
    assert abs(float(batches.mean()) - exact) < 8.5 * float(batches.std()) / math.sqrt(20) + 1e-9, (batches, exact)


# ---- a changepoint: coal-mining disasters a year, Jarrett (1979)

COAL = torch.tensor([
    4, 5, 4, 0, 1, 4, 3, 4, 0, 6, 3, 3, 4, 0, 2, 6, 3, 3, 5, 4, 5, 3, 1, 4, 4, 1, 5, 5, 3, 4, 2, 5, 2, 2, 3, 4, 2, 1, 3,
    2, 2, 1, 1, 1, 1, 3, 0, 0, 1, 0, 1, 1, 0, 0, 3, 1, 0, 3, 2, 2, 0, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 2, 1, 0, 0, 0, 1, 1,
    0, 2, 3, 3, 1, 1, 2, 1, 1, 1, 1, 2, 4, 2, 0, 0, 1, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1])


def changepoint(counts):
    early, late = (pyro.sample(name, dist.Gamma(2.0, 1.0)) for name in ("early", "late"))
    year = pyro.sample("year", dist.Categorical(torch.ones(len(counts))))
    rate = torch.where(torch.arange(len(counts)) < year, early, late)
    with pyro.plate("years", len(counts)):
        pyro.sample("disasters", dist.Poisson(rate), obs=counts)


def draw_rates(values, counts):
    before = torch.arange(len(counts)) < values["year"]
    return {name: torch._standard_gamma(2.0 + counts[where].sum()) / (1.0 + where.sum())
            for name, where in (("early", before), ("late", ~before))}


def exact_changepoint(counts):
    """p(year | counts), the rates integrated out: Gamma functions."""
    x, years = counts.numpy(), np.arange(len(counts))
    log = [sum(gammaln(2 + part.sum()) - (2 + part.sum()) * np.log1p(len(part)) for part in (x[:n], x[n:]))
           for n in years]
    p = np.exp(np.array(log) - max(log))
    return years, p / p.sum()


@pytest.mark.parametrize("counts, how, sweeps", [
    (COAL[33:42], partial(DiscreteGibbs, modified=True), 200),
    pytest.param(COAL[30:46], DiscreteGibbs, 500, marks=pytest.mark.slow),
    pytest.param(COAL, DiscreteGibbs, 1000, marks=pytest.mark.slow),
    pytest.param(COAL, partial(DiscreteGibbs, random_walk=True), 20_000, marks=pytest.mark.slow),
])
@pytest.mark.slow
def test_changepoint(counts, how, sweeps):
    got = chain(changepoint, [(draw_rates, ["early", "late"]), (how, "year")], counts, sweeps=sweeps)
    years, p = exact_changepoint(counts)
    agree(got["year"], float(p @ years))
    agree(got["year"] ** 2, float(p @ years**2))
    ends = [(2 + counts[:n].sum()) / (1.0 + n) for n in years]
    agree(got["early"], float(p @ np.array(ends)))


# ---- a mixture of two normals with known widths

POINTS = torch.tensor([-0.9, -0.5, 0.2, 0.4, 0.7, 0.1])


def mixture(x):
    with pyro.plate("components", 2):
        centre = pyro.sample("centre", dist.Normal(torch.tensor([-1.0, 1.0]), 1.0))
    with pyro.plate("points", len(x)):
        label = pyro.sample("label", dist.Categorical(torch.tensor([0.4, 0.6])))
        pyro.sample("x", dist.Normal(centre[label], 0.8), obs=x)


def draw_centres(values, x):
    mine = values["label"] == torch.arange(2)[:, None]
    precision = 1 + mine.sum(1) / 0.64
    mean = (torch.tensor([-1.0, 1.0]) + (mine * x).sum(1) / 0.64) / precision
    return {"centre": mean + torch.randn(2) / precision.sqrt()}


def exact_mixture(x):
    """p(label = 1) of each point and E of the first centre, over all 2^n labellings, centres integrated out."""
    n, weights, labels, first = len(x), [], [], []
    for label in product((0, 1), repeat=n):
        total, mean = sum(math.log((0.4, 0.6)[one]) for one in label), []
        for k, prior in enumerate((-1.0, 1.0)):
            mine = [float(v) for v, one in zip(x, label, strict=True) if one == k]
            precision = 1 + len(mine) / 0.64
            mean.append((prior + sum(mine) / 0.64) / precision)
            total += 0.5 * (precision * mean[-1] ** 2 - math.log(precision) - sum(v * v for v in mine) / 0.64)
        weights.append(total)
        labels.append(label)
        first.append(mean[0])
    p = np.exp(np.array(weights) - max(weights))
    p /= p.sum()
    return p @ np.array(labels), float(p @ np.array(first))


@pytest.mark.parametrize("labels, centres", [
    ((partial(DiscreteGibbs, modified=True), None), (draw_centres, ["centre"])),
    pytest.param((DiscreteGibbs, None), (draw_centres, ["centre"]), marks=pytest.mark.slow),
    pytest.param((lambda model: DiscreteGibbs(model, random_walk=True), None), (draw_centres, ["centre"]),
                 marks=pytest.mark.slow),
    pytest.param((DiscreteGibbs(random_walk=True, modified=True), "label"), (NUTS, None), marks=pytest.mark.slow),
])
def test_mixture(labels, centres):
    got = chain(mixture, [labels, centres], POINTS, sweeps=240 if centres[0] is draw_centres else 1500)
    p, first = exact_mixture(POINTS)
    for n, one in enumerate(p):
        agree(got["label"][:, n], one)
    agree(got["centre"][:, 0], first)


def test_the_lines_of_the_document_run():
    """docs/gibbs.md: the same mixture, and its draws."""
    torch.set_default_dtype(torch.float32)  # as there
    known: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "gibbs.md").read_text(), re.DOTALL):
        exec(compile(block, "gibbs.md", "exec"), known)
    p, first = exact_mixture(known["x"])
    for n, one in enumerate(p):
        agree(known["draws"]["label"][:, n], one)
    agree(known["draws"]["centre"][:, 0], first)
    assert known["kernel"].blocks[1] == (NUTS, None)


def test_the_example_is_the_changepoint_that_it_says():
    """Its exact answer is this file's, and its model and conditional are judged by it."""
    example = runpy.run_path(str(ROOT / "examples" / "composite_gibbs.py"))
    counts = example["COUNTS"]
    assert torch.equal(counts, COAL[example["FIRST"] - 1851:][: len(counts)])
    years, p = exact_changepoint(counts)
    assert example["exact"](counts).numpy() == pytest.approx(p, abs=1e-9)
    blocks = [(example["draw_rates"], ["early", "late"]), (DiscreteGibbs, "year")]
    got = chain(example["model"], blocks, counts[14:20], sweeps=100)
    years, p = exact_changepoint(counts[14:20])
    agree(got["year"], float(p @ years))


# ---- eight schools, Rubin (1981)

EFFECT = torch.tensor([28.0, 8, -3, 7, -1, 1, 18, 12])
ERROR = torch.tensor([15.0, 10, 16, 11, 9, 11, 10, 18])


def schools(effect, error):
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = pyro.sample("tau", dist.HalfCauchy(5.0))
    with pyro.plate("schools", 8):
        eta = pyro.sample("eta", dist.Normal(0.0, 1.0))
        theta = pyro.deterministic("theta", mu + tau * eta)
        pyro.sample("effect", dist.Normal(theta, error), obs=effect)


def draw_mu(values, effect, error):
    precision = 1 / 25 + (1 / error**2).sum()
    rest = effect - (values["theta"] - values["mu"])  # theta: a deterministic site, at the present values
    return {"mu": (rest / error**2).sum() / precision + torch.randn(()) / precision.sqrt()}


def draw_eta(values, effect, error):
    precision = 1 + (values["tau"] / error) ** 2
    mean = values["tau"] * (effect - values["mu"]) / error**2 / precision
    return {"eta": mean + torch.randn(8) / precision.sqrt()}


def exact_schools():
    """E[mu], E[log tau]: mu and theta given tau are normal, tau by quadrature over log tau."""
    t = np.linspace(-12, 9, 20001)
    y, s = EFFECT.numpy()[:, None], ERROR.numpy()[:, None]
    v = s**2 + np.exp(t) ** 2
    precision = 1 / 25 + (1 / v).sum(0)
    mean = (y / v).sum(0) / precision
    log = (-0.5 * np.log(v).sum(0) - 0.5 * np.log(precision) + 0.5 * precision * mean**2 - 0.5 * (y**2 / v).sum(0)
           - np.log1p(np.exp(2 * t) / 25) + t)
    w = np.exp(log - log.max())
    return float((w * mean).sum() / w.sum()), float((w * t).sum() / w.sum())


@pytest.mark.slow
@pytest.mark.parametrize("tau, sweeps", [
    (partial(RandomWalkKernel, init_step_size=2.0), 400),
    pytest.param(NUTS, 3000, marks=pytest.mark.slow),
])
def test_eight_schools(tau, sweeps):
    got = chain(schools, [(draw_mu, ["mu"]), (draw_eta, ["eta"]), (tau, "tau")], EFFECT, ERROR, sweeps=sweeps)
    for values, exact in zip((got["mu"], got["tau"].log()), exact_schools(), strict=True):
        agree(values, exact)


# ---- a hierarchical regression: intercepts by group, one slope, known variances: all is normal

GROUP = torch.tensor([0, 0, 0, 1, 1, 2])
SIZE = torch.tensor([-1.0, 0.3, 1.2, -0.4, 0.9, 0.1])
HEIGHT = torch.tensor([0.2, 1.1, 2.3, -1.0, 0.6, 1.9])


def regression(size, height):
    mean = pyro.sample("mean", dist.Normal(0.0, 2.0))
    slope = pyro.sample("slope", dist.Normal(0.0, 1.0))
    with pyro.plate("groups", 3):
        intercept = pyro.sample("intercept", dist.Normal(mean, 0.7))
    with pyro.plate("rows", len(size)):
        pyro.sample("height", dist.Normal(intercept[GROUP] + slope * size, 0.5), obs=height)


def draw_intercepts(values, size, height):
    mine = torch.arange(3)[:, None] == GROUP
    precision = 1 / 0.49 + mine.sum(1) / 0.25
    mean = (values["mean"] / 0.49 + (mine * (height - values["slope"] * size)).sum(1) / 0.25) / precision
    return {"intercept": mean + torch.randn(3) / precision.sqrt()}


def exact_regression():
    """Mean and covariance of (mean, slope, three intercepts), from the precision matrix."""
    rows = [(np.array([1.0, 0, 0, 0, 0]), 0.0, 2.0), (np.array([0, 1.0, 0, 0, 0]), 0.0, 1.0)]
    for g in range(3):
        rows.append((np.eye(5)[2 + g] - np.eye(5)[0], 0.0, 0.7))
    for g, x, y in zip(GROUP.tolist(), SIZE.tolist(), HEIGHT.tolist(), strict=True):
        rows.append((np.eye(5)[2 + g] + x * np.eye(5)[1], y, 0.5))
    precision = sum(np.outer(a, a) / s**2 for a, _, s in rows)
    return np.linalg.solve(precision, sum(a * y / s**2 for a, y, s in rows)), np.linalg.inv(precision)


@pytest.mark.parametrize("rest, sweeps", [
    (lambda model: HMC(model, step_size=0.6, num_steps=2, adapt_step_size=False, adapt_mass_matrix=False), 200),
    pytest.param(HMC(regression, step_size=0.5, num_steps=3), 1500, marks=pytest.mark.slow),
    pytest.param(NUTS, 800, marks=pytest.mark.slow),
])
def test_hierarchical_regression(rest, sweeps):
    got = chain(regression, [(draw_intercepts, ["intercept"]), (rest, None)], SIZE, HEIGHT, sweeps=sweeps)
    mean, cov = exact_regression()
    for n, values in enumerate((got["mean"], got["slope"], got["intercept"][:, 0])):
        agree(values, mean[n])
        agree((values - mean[n]) ** 2, cov[n, n])


# ---- the horseshoe, Carvalho, Polson and Scott (2010), on two normal means

SEEN = torch.tensor([0.4, 3.1])


def horseshoe(y):
    tau = pyro.sample("tau", dist.HalfCauchy(1.0))
    with pyro.plate("means", len(y)):
        width = pyro.sample("width", dist.HalfCauchy(1.0))
        beta = pyro.sample("beta", dist.Normal(0.0, tau * width))
        pyro.sample("y", dist.Normal(beta, 1.0), obs=y)


def draw_beta(values, y):
    keep = 1 - 1 / (1 + (values["tau"] * values["width"]) ** 2)
    return {"beta": keep * y + keep.sqrt() * torch.randn(len(y))}


def exact_horseshoe(y):
    """E[beta]: beta integrated out, width and tau by quadrature in logarithms."""
    t, w = np.linspace(-14, 14, 561)[:, None], np.linspace(-14, 14, 2801)[None]
    cauchy = [np.exp(z) / (1 + np.exp(2 * z)) for z in (t, w)]
    keep = 1 - 1 / (1 + np.exp(2 * (t + w)))
    mass, mean = [], []
    for one in y.tolist():
        p = cauchy[1] * np.sqrt(1 - keep) * np.exp(-0.5 * one**2 * (1 - keep))
        mass.append(p.sum(1))
        mean.append((p * keep * one).sum(1) / p.sum(1))
    p = cauchy[0][:, 0] * np.prod(mass, 0)
    return [float((p * one).sum() / p.sum()) for one in mean]


@pytest.mark.slow
@pytest.mark.parametrize("sweeps", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_horseshoe(sweeps):
    walk = partial(RandomWalkKernel, init_step_size=1.5)
    got = chain(horseshoe, [(draw_beta, ["beta"]), (walk, ["width", "tau"])], SEEN, sweeps=sweeps, warmup=200)
    for n, exact in enumerate(exact_horseshoe(SEEN)):
        agree(got["beta"][:, n], exact)


# ---- a hidden Markov model

STEP = torch.tensor([[0.8, 0.2], [0.3, 0.7]])
NOISES = torch.tensor([0.3, 1.7, 1.2, -0.4, 0.1])


def hidden_markov(y):
    state = torch.tensor(0)
    for t in pyro.markov(range(len(y))):
        state = pyro.sample(f"state{t}", dist.Categorical(STEP[state]))
        pyro.sample(f"y{t}", dist.Normal(1.5 * state.to(y), 1.0), obs=y[t])


def exact_hidden_markov(y):
    """p(state_t = 1 | y): forward filtering, backward smoothing."""
    step, likelihood = STEP.numpy(), norm.pdf(y.numpy()[:, None], [0.0, 1.5], 1.0)
    forward, before = [], np.array([1.0, 0.0])
    for row in likelihood:
        before = before @ step * row
        forward.append(before)
    back, found = np.ones(2), []
    for row, a in zip(likelihood[::-1], forward[::-1], strict=True):
        found.append(a[1] * back[1] / (a * back).sum())
        back = step @ (row * back)
    return found[::-1]


@pytest.mark.parametrize("kernel", [
    pytest.param(DiscreteGibbs, marks=pytest.mark.slow),  # alone: every site is discrete
    pytest.param(lambda model: Gibbs(model, [(partial(DiscreteGibbs, modified=True),
                                              lambda name: name.startswith("state"))]), marks=pytest.mark.slow),
])
def test_hidden_markov_model(kernel):
    got = chain(hidden_markov, kernel, NOISES, sweeps=100, warmup=10)
    for t, exact in enumerate(exact_hidden_markov(NOISES)):
        agree(got[f"state{t}"], exact)


# ---- capture and recapture, data augmented: Royle, Dorazio and Link (2007)

CAUGHT = torch.tensor([3.0, 1, 2, 1, 1] + 7 * [0.0])  # times in 4 nights; seven more that may exist
NIGHTS = 4


def recapture(caught):
    share = pyro.sample("share", dist.Beta(1.0, 1.0))
    p = pyro.sample("p", dist.Beta(1.0, 1.0))
    with pyro.plate("animals", len(caught)):
        real = pyro.sample("real", dist.Bernoulli(share))
        pyro.sample("caught", dist.Binomial(NIGHTS, p * real), obs=caught)


def draw_shares(values, caught):
    n, seen = values["real"].sum(), caught.sum()
    return {"share": dist.Beta(1 + n, 1 + len(caught) - n).sample(),
            "p": dist.Beta(1 + seen, 1 + NIGHTS * n - seen).sample()}


def exact_recapture():
    """p(number of animals): share and p integrated out."""
    seen, known, extra = float(CAUGHT.sum()), 5, 7
    n = known + np.arange(extra + 1)
    log = (gammaln(extra + 1) - gammaln(n - known + 1) - gammaln(extra + known - n + 1)
           + betaln(1 + n, 1 + known + extra - n) + betaln(1 + seen, 1 + NIGHTS * n - seen))
    p = np.exp(log - log.max())
    return n, p / p.sum()


@pytest.mark.parametrize("modified", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_capture_and_recapture(modified):
    got = chain(recapture, [(DiscreteGibbs(modified=modified), "real"), (draw_shares, None)], CAUGHT, sweeps=200,
                start={"share": torch.zeros(()), "p": torch.zeros(()), "real": torch.ones(12)})
    n, p = exact_recapture()
    agree(got["real"].sum(1), float(p @ n))
    agree(got["real"].sum(1) ** 2, float(p @ n**2))


# ---- probit regression by augmentation, Albert and Chib (1993)

DOSE = torch.tensor([-1.2, -0.5, 0.1, 0.4, 0.8, 1.5])
CURED = torch.tensor([False, False, True, False, True, True])


def probit(dose, cured):
    slope = pyro.sample("slope", dist.Normal(0.0, 2.0))
    with pyro.plate("patients", len(dose)):
        utility = pyro.sample("utility", dist.Normal(slope * dose, 1.0))
        pyro.factor("agrees", torch.where((utility > 0) == cured, 0.0, -torch.inf))


def draw_utility(values, dose, cured):
    mean = values["slope"] * dose
    low = torch.where(cured, torch.special.ndtr(-mean), torch.zeros(len(dose)))
    high = torch.where(cured, torch.ones(len(dose)), torch.special.ndtr(-mean))
    return {"utility": mean + torch.special.ndtri(low + (high - low) * torch.rand(len(dose)))}


def draw_slope(values, dose, cured):
    precision = 0.25 + dose.square().sum()
    return {"slope": (dose * values["utility"]).sum() / precision + torch.randn(()) / precision.sqrt()}


def test_probit():
    start = {"slope": torch.zeros(()), "utility": torch.where(CURED, 1.0, -1.0)}
    got = chain(probit, [(draw_utility, "utility"), (draw_slope, "slope")], DOSE, CURED, sweeps=1000, start=start)
    b = np.linspace(-8, 12, 4001)[:, None]
    p = norm.pdf(b[:, 0] / 2) * norm.cdf(np.where(CURED.numpy(), 1, -1) * b * DOSE.numpy()).prod(1)
    for power in (1, 2):
        agree(got["slope"] ** power, float((p * b[:, 0] ** power).sum() / p.sum()))
