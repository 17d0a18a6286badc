"""Means of whoever is unknown: against published variance components, and by counting what their intervals hold."""

import numpy as np
import pytest

from inference.factorization.fitted.effects import Effects

# Travel times in six rails, three each: Devore (2000), Probability and Statistics for Engineering and the Sciences,
# as data set Rail of R's nlme. Pinheiro and Bates (2000), Mixed-Effects Models in S and S-PLUS, page 8, print what
# lme estimates by REML, which is the method of moments where all rows have as many: sd of the rails 24.80547,
# within 4.020779, mean 66.5.
RAIL = ((55, 53, 54), (26, 37, 32), (78, 91, 85), (92, 100, 96), (49, 51, 50), (80, 85, 83))


def training(rows) -> dict[str, np.ndarray]:
    every = np.array([r for row in rows for r in row], float)
    return {"item_count": np.array([len(row) for row in rows]), "rating_mean": every.mean(),
            "item_mean": np.array([np.mean(row) if len(row) else every.mean() for row in rows]),
            "rating_variance": every.var()}


def test_published_variance_components():
    found = Effects.of(training((*RAIL, ())), "item")
    assert found.overall == 66.5
    assert found.total == pytest.approx(24.80547**2 + 4.020779**2, rel=1e-6)
    assert found.mean[-1] == 66.5 and found.variance[-1] == pytest.approx(found.total)  # nothing is known of it
    weight = 3 * 24.80547**2 / (3 * 24.80547**2 + 4.020779**2)
    assert found.mean[0] == pytest.approx(66.5 + weight * (54 - 66.5), rel=1e-6)
    assert found.variance[0] == pytest.approx(4.020779**2 + (1 - weight) * 24.80547**2, rel=1e-6)


def test_intervals_of_new_ratings_hold_what_they_say():
    """20,000 ratings of new users; the share inside is binomial, and five standard errors are exceeded with 6e-7."""
    rng = np.random.default_rng(1)
    effects, counts = rng.normal(0, 0.8, 4000), rng.integers(0, 12, 4000)
    found = Effects.of(training([3 + e + rng.normal(0, 1.1, n) for e, n in zip(effects, counts, strict=True)]), "item")
    items = rng.integers(0, 4000, 20_000)
    new = 3 + effects[items] + rng.normal(0, 1.1, 20_000)
    inside = np.abs(new - found.mean[items]) <= 1.6448536 * np.sqrt(found.variance[items])
    assert abs(inside.mean() - 0.9) < 5 * np.sqrt(0.09 / 20_000) + 0.005  # and 0.005: the components are estimated


@pytest.mark.parametrize("rows", [[[4.0]], [[4.0, 4.0]], [[1.0], [5.0]], [[2.0, 2.0], [2.0]]])
def test_too_few_to_tell_is_finite(rows):
    found = Effects.of(training([*rows, []]), "item")
    assert np.isfinite([found.mean, found.variance]).all() and (found.variance >= 0).all()
