"""A relation between what a kernel seems to use and what it was passed is told only where nothing else fits."""

import pytest

from checks.problems.factorization.implied import relation
from models.factorization import Factorization

MODEL = Factorization(3, 2, 1, prior_variance=2.0, noise_variance=0.4)
CLASH = Factorization(3, 2, 1, prior_variance=0.6, noise_variance=1.7)  # 1 / 0.6 = 1.67


@pytest.mark.parametrize(("value", "error", "passed", "model", "says"), [
    (0.63, 0.02, 0.4, MODEL, ", whose square root is 0.63"),
    (0.81, 0.02, 0.4, MODEL, ", twice which is 0.8"),
    (0.83, 0.02, 0.4, MODEL, ""),  # 1.8 standard errors from twice
    (0.81, 0.2, 0.4, MODEL, ""),  # the square root is within 1.2 as well
    (0.39, 0.04, 2.0, MODEL, ", and the noise variance is 0.4"),
    (1.7, 0.02, 0.6, CLASH, ""),  # the inverse, or the noise variance?
    (1.23, 0.02, 0.6, CLASH, ""),
])
def test_no_coincidences(value, error, passed, model, says):
    assert relation(value, error, passed, model) == says
