"""KL, prediction moments and the start against torch.distributions, quadrature, enumeration and a dense SVD."""

import itertools
import math

import pytest
import torch
from scipy.integrate import quad
from torch.distributions import Normal, kl_divergence

from errors import InputError
from inference.factorization.parts.gaussian import draw_normal, expected, prediction_moments
from inference.factorization.parts.kl import kl_normal
from inference.factorization.parts.spectral_start import spectral_start
from models.factorization import Factorization
from models.ratings import Ratings

CASES = [(0.0, 1.0, 0.0, 5.0), (2.3, 0.04, 0.0, 5.0), (-1.5, 7.0, 0.8, 0.6), (0.2, math.exp(-10), 0.0, 5.0)]


def kl(m_q, v_q, m_p, v_p) -> float:
    return float(kl_normal(torch.tensor(m_q, dtype=torch.float64), torch.tensor(v_q, dtype=torch.float64), m_p, v_p))


@pytest.mark.parametrize("m_q, v_q, m_p, v_p", CASES)
def test_kl_is_that_of_torch_distributions(m_q, v_q, m_p, v_p):
    q, p = (Normal(torch.tensor(m, dtype=torch.float64), math.sqrt(v)) for m, v in ((m_q, v_q), (m_p, v_p)))
    assert kl(m_q, v_q, m_p, v_p) == pytest.approx(float(kl_divergence(q, p)), rel=1e-12)


@pytest.mark.parametrize("m_q, v_q, m_p, v_p", CASES)
def test_kl_is_the_integral(m_q, v_q, m_p, v_p):
    """By adaptive quadrature over 12 standard deviations; outside lies 1e-32 of q."""
    def log_normal(x, m, v):
        return -0.5 * ((x - m) ** 2 / v + math.log(2 * math.pi * v))

    def integrand(x):
        return math.exp(log_normal(x, m_q, v_q)) * (log_normal(x, m_q, v_q) - log_normal(x, m_p, v_p))

    sd = math.sqrt(v_q)
    integral = quad(integrand, m_q - 12 * sd, m_q + 12 * sd, points=[m_q], epsabs=1e-12, epsrel=1e-12)[0]
    assert kl(m_q, v_q, m_p, v_p) == pytest.approx(integral, rel=1e-9)


def test_kl_is_0_only_where_q_is_p():
    assert kl(1.5, 0.7, 1.5, 0.7) == 0
    assert kl(1.5, 0.7, 1.5, 0.8) > 0


@pytest.mark.parametrize("full", [False, True])
def test_prediction_moments_by_enumeration(full):
    """u.v has the same mean and variance for any independent u, v with these means and covariances: take the
    2^K corners m + L e, e = +-1, each equally likely."""
    rng = torch.Generator().manual_seed(0)
    K = 3
    moments, corners = {}, {}
    for site in ("U", "V"):
        mean = torch.randn(2, K, generator=rng, dtype=torch.float64)
        L = torch.randn(2, K, K, generator=rng, dtype=torch.float64)
        L = L if full else torch.diag_embed(L.diagonal(dim1=1, dim2=2))
        S = L @ L.mT
        moments[site] = mean, S if full else S.diagonal(dim1=1, dim2=2)
        signs = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=K)), dtype=torch.float64)
        corners[site] = mean[:, None] + signs @ L.mT
    pairs = torch.tensor([0, 1, 1]), torch.tensor([1, 0, 1])
    mean, variance = prediction_moments(moments, pairs)
    for n, (i, j) in enumerate(zip(*(x.tolist() for x in pairs), strict=True)):
        products = (corners["U"][i] @ corners["V"][j].T).flatten()
        assert float(mean[n]) == pytest.approx(float(products.mean()), rel=1e-12)
        assert float(variance[n]) == pytest.approx(float(products.var(correction=0)), rel=1e-12)
    found = expected(Factorization(2, 3, K, pairs=pairs), moments)
    assert torch.equal(found["prediction"], mean) and torch.equal(found["prediction_var"], variance)
    assert found["U_var"].shape == (2, K)


def test_draws_have_the_moments_of_q():
    """z statistics of 20,000 draws; each of 10 exceeds 5.5 with probability 4e-8."""
    moments = {"U": (torch.tensor([[1.0, -2.0]]), torch.tensor([[0.3, 4.0]])),
               "V": (torch.tensor([[0.5]]), torch.tensor([[0.01]]))}
    rng = torch.Generator().manual_seed(1)
    draws = [draw_normal(rng, moments) for _ in range(20000)]
    for site, (mean, variance) in moments.items():
        x = torch.stack([d[site] for d in draws])
        assert bool(((x.mean(0) - mean).abs() < 5.5 * (variance / len(x)).sqrt()).all())
        assert bool(((x.var(0) / variance - 1).abs() < 5.5 * math.sqrt(2 / len(x))).all())


def complete(table) -> Ratings:
    user, item = (x.flatten() for x in torch.meshgrid(*map(torch.arange, table.shape), indexing="ij"))
    return Ratings(user, item, table.flatten(), *table.shape)


def test_the_start_is_item_averages_and_leading_directions():
    rng = torch.Generator().manual_seed(2)
    U, V = (torch.randn(n, 2, generator=rng, dtype=torch.float64) for n in (40, 12))
    table = 3 + U @ (V * torch.tensor([1.0, 0.5])).T
    start = spectral_start(rng, Factorization(40, 12, 3), complete(table))
    torch.testing.assert_close(start["U"][:, :1] @ start["V"][:, :1].T, table.mean(0).expand(40, 12))
    _, _, right = torch.linalg.svd(table - table.mean(0))
    for k in (0, 1):
        cosine = torch.nn.functional.cosine_similarity(start["V"][:, 1 + k], right[k], dim=0)
        assert abs(float(cosine)) == pytest.approx(1, abs=1e-9)


def test_the_start_bears_constant_ratings_and_unrated_items():
    data = Ratings(torch.tensor([0, 1]), torch.tensor([0, 0]), torch.tensor([4.0, 4.0], dtype=torch.float64), 3, 2)
    start = spectral_start(torch.Generator(), Factorization(3, 2, 2), data)
    assert all(bool(torch.isfinite(value).all()) for value in start.values())
    with pytest.raises(InputError, match="3 users and 2 items, and the model is of 9 and 2"):
        spectral_start(torch.Generator(), Factorization(9, 2, 2), data)
