"""What is exact on a program, against closed forms and enumeration; approximations against these."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from errors import InputError
from inference import load
from inference.drive import drive
from inference.job import Plan
from inference.program.parts import peaks
from inference.program.parts.moments import sd_of
from tests.support.programs import CHAIN, HEAD, NORMAL, SCHOOLS, SWITCH, normal_posterior, program


def run(name: str, model, steps: int = 1, **options):
    return drive(load.method("program", name), model, model.data, Plan(steps, draws=500, seed=1), options)


def test_quadrature_of_a_normal_mean(tmp_path):
    model = program(tmp_path, NORMAL)
    mean, sd, log_p = normal_posterior(model.data["y"])
    found = run("quadrature", model)
    assert found.log_evidence_kind == "exact" and abs(found.log_evidence - log_p) < 1e-8
    assert abs(found.expected["mu"] - mean) < 1e-8 and abs(found.expected[sd_of("mu")] - sd) < 1e-8
    assert abs(found.draws["mu"].mean() - mean) < 6 * sd / math.sqrt(500)


def test_a_site_may_be_called_like_the_sd_of_another(tmp_path):
    model = program(tmp_path, SWITCH.replace('"k"', '"z_sd"'))
    found = run("enumeration", model)
    plain = run("enumeration", program(tmp_path, SWITCH))
    assert np.array_equal(found.expected["z_sd"], plain.expected["k"])
    assert found.expected[sd_of("z")] == plain.expected[sd_of("z")]


def test_enumeration(tmp_path):
    model = program(tmp_path, SWITCH)
    found = run("enumeration", model)
    weights = {}
    for z, *k in itertools.product((0, 1), (0, 1, 2), (0, 1, 2), (0, 1, 2)):
        p = (0.3, 0.7)[1 - z] * np.prod([(0.2, 0.3, 0.5)[j] for j in k])
        r = np.array([1.2, 0.3, 2.2]) - np.array(k) - 2 * z
        weights[z, *k] = p * np.exp(-0.5 * r @ r) / (2 * np.pi) ** 1.5
    total = sum(weights.values())
    assert abs(found.log_evidence - math.log(total)) < 1e-6
    for n in range(3):
        mean = sum(w * state[1 + n] for state, w in weights.items()) / total
        assert abs(found.expected["k"][n] - mean) < 1e-6
    assert abs(found.expected["z"] - sum(w * state[0] for state, w in weights.items()) / total) < 1e-6


@pytest.mark.parametrize("more", ['; pyro.deterministic("twice", 2 * z)', *(
    pytest.param(more, marks=pytest.mark.slow) for more in ("", "; float(z)"))])
def test_quadrature_sums_over_discrete_sites(tmp_path, more):
    """p ~ Beta(2, 3), z ~ Bernoulli(p), y ~ N(z, 1): p(z = 1) = 2/5, and E[p | z] = (2 + z) / 6. Summed out, and gone
    through where a deterministic site depends on z, or the model asks for one value."""
    model = program(tmp_path, HEAD + '''
def model(y):
    p = pyro.sample("p", dist.Beta(2., 3.))
    z = pyro.sample("z", dist.Bernoulli(p))
    pyro.sample("y", dist.Normal(z, 1.), obs=y)MORE
def data():
    return torch.tensor(0.7)
'''.replace("MORE", more))
    found = run("quadrature", model)
    w = [0.6 * math.exp(-0.5 * 0.7**2), 0.4 * math.exp(-0.5 * 0.3**2)]
    z = w[1] / sum(w)
    assert abs(found.expected["z"] - z) < 1e-6 and abs(found.expected["p"] - (2 + z) / 6) < 1e-6
    assert abs(found.log_evidence - math.log(sum(w) / math.sqrt(2 * math.pi))) < 1e-6
    assert abs(found.expected.get("twice", 2 * z) - 2 * z) < 1e-6


LABELS = HEAD + '''
def model(y):
    p = pyro.sample("p", dist.Beta(2., 1.))
    with pyro.plate("n", len(y)):
        z = pyro.sample("z", dist.Bernoulli(p))
        pyro.sample("y", dist.Normal(2 * z, 1.), obs=y)
def data():
    return torch.tensor([-.4, .3, 1.2, 2.5, 1.9, .9, 2.2])
'''
ENDLESS = HEAD + '''
def model(y):
    rate = pyro.sample("rate", dist.Gamma(2., 1.))
    k = pyro.sample("k", dist.Poisson(rate))
    pyro.sample("y", dist.Normal(k, 1.), obs=y)
def data():
    return torch.tensor(0.7)
'''


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    """A program of 128 values of z, the log of p(u, y) on a fine grid of u = logit p, and p(z = 1 | u, y) there."""
    model = program(tmp_path_factory.mktemp("labels"), LABELS)
    u, y = np.linspace(-20, 40, 20_001), model.data["y"].numpy()
    p = 1 / (1 + np.exp(-u))
    one, none = p[:, None] * stats.norm(2).pdf(y), (1 - p[:, None]) * stats.norm(0).pdf(y)
    return model, u, np.log(2 * p * p) - np.logaddexp(0, u) + np.log(one + none).sum(1), one / (one + none)


@pytest.mark.parametrize("name", ["quadrature", "importance_sampling"])
def test_discrete_sites_of_many_values_are_summed_out(labels, name):
    """6 standard errors of 5,000 draws, whose weights have an sd below 1."""
    model, u, log_p, share = labels
    found = run(name, model, 5)
    slack = 1e-6 if name == "quadrature" else 6 / math.sqrt(5000)
    weights = np.exp(log_p) / np.exp(log_p).sum()
    assert abs(found.log_evidence - math.log(np.exp(log_p).sum() * (u[1] - u[0]))) < slack
    z, p = weights @ share, 1 / (1 + np.exp(-u))
    assert np.allclose(found.expected["z"], z, atol=slack) and abs(found.expected["p"] - weights @ p) < slack
    assert np.allclose(found.expected[sd_of("z")], np.sqrt(z * (1 - z)), atol=slack)
    assert np.abs(found.draws["z"].mean((0, 1)) - z).max() < 3 / math.sqrt(500)


def test_laplace_sums_discrete_sites_out(labels):
    """About the highest point of the grid, with the curvature there by differences."""
    model, u, log_p, share = labels
    k, h = int(log_p.argmax()), u[1] - u[0]
    curvature = -(log_p[k + 20] - 2 * log_p[k] + log_p[k - 20]) / (20 * h) ** 2
    found = run("laplace", model)
    assert abs(found.log_evidence - (log_p[k] + 0.5 * math.log(2 * math.pi / curvature))) < 1e-3
    q = np.exp(-0.5 * curvature * (u - u[k]) ** 2)
    assert np.allclose(found.expected["z"], q @ share / q.sum(), atol=3 / math.sqrt(2000))


@pytest.mark.parametrize("name", ["laplace", "importance_sampling"])
def test_of_a_gaussian_posterior_they_are_right(tmp_path, name):
    model = program(tmp_path, CHAIN)
    F = torch.zeros(3, 3, dtype=torch.float64)  # x = F e, e standard normal
    for t in range(3):
        F[t, : t + 1] = torch.tensor([0.8 ** (t - s) for s in range(t + 1)])
    prior, y = F @ F.mT, torch.tensor([0.1, 1.9, 3.3], dtype=torch.float64)
    covariance = prior + 0.25 * torch.eye(3, dtype=torch.float64)
    mean = prior @ torch.linalg.solve(covariance, y)
    log_p = float(torch.distributions.MultivariateNormal(torch.zeros(3).double(), covariance).log_prob(y))
    found = run(name, model, 5)
    slack = 1e-7 if name == "laplace" else 6 / math.sqrt(5000)  # weights of sd below 1
    assert abs(found.log_evidence - log_p) < slack
    spread = 6 / math.sqrt(2000)  # their means are over draws; the posterior sds are below 0.5
    assert all(abs(float(found.expected[f"x{t}"]) - float(mean[t])) < 0.5 * spread for t in range(3))


COUNT = HEAD + '''
def model(n):
    tau = pyro.sample("tau", dist.Gamma(SHAPE, 1.))
    pyro.sample("n", dist.Poisson(tau), obs=n)
def data():
    return torch.tensor(0.)
'''
FLAT = HEAD + '''
def model(n):
    u = pyro.sample("u", dist.ImproperUniform(dist.constraints.real, (), ()))
    pyro.factor("slope", SLOPE * u)
    pyro.sample("n", dist.Poisson(u.exp()), obs=n)
def data():
    return torch.tensor(0.)
'''


@pytest.mark.slow
def test_quadrature_of_three_skew_numbers(tmp_path):
    """tau ~ Exponential(1), n ~ Poisson(tau): n is geometric, p(n) = 2^-(n + 1); E[tau | n] = (n + 1) / 2."""
    found = run("quadrature", program(tmp_path, HEAD + '''
def model(n):
    with pyro.plate("three", 3):
        tau = pyro.sample("tau", dist.Exponential(1.))
        pyro.sample("n", dist.Poisson(tau), obs=n)
def data():
    return torch.tensor([1., 2., 1.])
'''))
    assert abs(found.log_evidence + 7 * math.log(2)) < 1e-7
    assert np.allclose(found.expected["tau"], [1.0, 1.5, 1.0], atol=1e-6)


@pytest.mark.parametrize("shape", [0.05, 7.0])
def test_laplace_of_the_log_of_a_gamma(tmp_path, shape):
    """With u = log tau, log p = a u - 2 e^u - log Gamma(a): the peak is at log(a / 2), the curvature there a, however
    skew; so log Z ~ a log(a / 2) - a - log Gamma(a) + log(2 pi / a) / 2, which is Stirling's formula."""
    found = run("laplace", program(tmp_path, COUNT.replace("SHAPE", str(shape))))
    stirling = shape * math.log(shape / 2) - shape - math.lgamma(shape) + math.log(2 * math.pi / shape) / 2
    assert abs(found.log_evidence - stirling) < 1e-6


@pytest.mark.parametrize("name", ["laplace", "importance_sampling"])
@pytest.mark.parametrize("slope", ["0.0", "1e-6"])
def test_what_is_flat_towards_infinity_has_no_peak(tmp_path, name, slope):
    """log p = slope u - e^u: towards u = -infinity it is flat, and its curvature there, e^u, is positive."""
    with pytest.raises(InputError, match=r"no peak.* along u"):
        run(name, program(tmp_path, FLAT.replace("SLOPE", slope)))


@pytest.mark.parametrize(("name", "text", "words"), [
    ("enumeration", NORMAL, "enumeration is for discrete sites, and mu is continuous"),
    ("quadrature", SWITCH, "one to three continuous numbers, and these are 0: use enumeration"),
    ("quadrature", SCHOOLS, "one to three continuous numbers, and these are 5: use nuts_pyro"),
    ("laplace", SWITCH, "laplace is for continuous sites, and every site here is discrete"),
    ("importance_sampling", ENDLESS, "the discrete ones being summed out, which they cannot be here: the site k has"),
    ("quadrature", ENDLESS, "the discrete ones being summed out, which they cannot be here: the site k has"),
    ("laplace", SCHOOLS, "the log density has no peak"),
    ("nuts_pyro", SWITCH, "nuts_pyro is for continuous sites, and every site here is discrete"),
    ("composite_gibbs_pyro", NORMAL, "has none: use nuts_pyro"),
])
def test_what_a_method_is_not_for_it_says(tmp_path, monkeypatch, name, text, words):
    monkeypatch.setattr(peaks, "STEPS", 30)
    with pytest.raises(InputError, match=words):
        run(name, program(tmp_path, text))


def test_a_support_that_changes_is_refused_where_it_would_be_kept(tmp_path):
    model = program(tmp_path, HEAD + '''
def model(y):
    high = pyro.sample("high", dist.Exponential(1.))
    x = pyro.sample("x", dist.Uniform(0., high))
    pyro.sample("y", dist.Normal(x, 1.), obs=y)
def data():
    return torch.tensor(0.7)
''')
    for name in ("nuts_pyro", "hmc_pyro", "random_walk_pyro"):
        with pytest.raises(InputError, match="the support of the site x changes with other sites"):
            run(name, model)
