"""Mixtures of Gaussians: against one Gaussian, and against quadrature of the density."""

import numpy as np
import pytest
from scipy import stats

from inference.factorization.fitted.mixture import predicted

LEVELS = np.array([1.0, 2.0, 3.0, 4.0, 5.0])


def test_one_component_is_a_gaussian():
    m, s = np.array([[3.0, -2.0]]), np.array([[0.25, 4.0]])
    found = predicted(m, s, LEVELS, 0.9)
    law = stats.norm(m[0], np.sqrt(s[0]))
    assert np.allclose(found.mean, m[0]) and np.allclose(found.sd, law.std())
    assert np.allclose(found.low, law.ppf(0.05), atol=1e-6) and np.allclose(found.high, law.ppf(0.95), atol=1e-6)
    assert found.probability[0, 2] == pytest.approx(stats.norm(3, 0.5).cdf(3.5) - stats.norm(3, 0.5).cdf(2.5))
    assert np.allclose(found.probability.sum(1), 1) and found.probability[1, 0] > 0.95


@pytest.mark.parametrize("gap", [0.5, 6.0, 300.0])
def test_against_quadrature_of_the_density(gap):
    """Components close together, apart, and so far apart that Newton's steps alone would leave."""
    rng = np.random.default_rng(0)
    m = np.concatenate([rng.normal(size=(20, 3)), gap + rng.normal(size=(15, 3))])
    s = rng.gamma(3.0, 0.1, size=m.shape)
    found = predicted(m, s, LEVELS, 0.8)
    x = np.linspace(m.min() - 8, m.max() + 8, 20_001)
    step = x[1] - x[0]
    for n in range(3):
        density = stats.norm(m[:, n, None], np.sqrt(s[:, n, None])).pdf(x[None, :]).mean(0)
        mean = (x * density).sum() * step
        assert found.mean[n] == pytest.approx(mean, rel=1e-6, abs=1e-6)
        assert found.sd[n] ** 2 == pytest.approx(((x - mean) ** 2 * density).sum() * step, rel=1e-5)
        for end, p in ((found.low[n], 0.1), (found.high[n], 0.9)):
            assert density[x <= end].sum() * step == pytest.approx(p, abs=step)
        assert density[(x > 2.5) & (x <= 3.5)].sum() * step == pytest.approx(found.probability[n, 2], abs=step)


def test_no_levels_and_limits():
    found = predicted(np.zeros((2, 1)), np.ones((2, 1)), np.empty(0), 0.9, limits=(-1.0, 1.5))
    assert found.probability.shape == (1, 0) and found.low[0] == -1 and found.high[0] == 1.5
