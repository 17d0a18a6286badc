"""Products with features and the regression on them, against dense linear algebra."""

import pytest
import torch
from torch.testing import assert_close

from inference.factorization.parts.features import Side, tall
from inference.job import generator


def side(rows, features, share, seed=0):
    rng = generator(seed, "features")
    F = torch.randn(rows, features, generator=rng).double() * (torch.rand(rows, features, generator=rng) < share)
    F[1] = 0.0
    return Side(F, torch.linalg.eigh(F @ F.mT if rows < features else F.mT @ F)), rng


@pytest.mark.parametrize("share", [0.1, 0.9])
@pytest.mark.parametrize(("rows", "features"), [(7, 12), (30, 9), (5, 0)])
@pytest.mark.parametrize("D", [1, 4, 7, 13, 24])
def test_products(rows, features, share, D):
    of, rng = side(rows, features, share)
    assert (of.sparse is not None) == (share < 0.2 or features == 0)
    X, Y = torch.randn(features, D, generator=rng).double(), torch.randn(rows, D, generator=rng).double()
    assert_close(of.times(X), of.F @ X)
    assert_close(of.transposed(Y), of.F.mT @ Y)
    assert_close(tall(torch.eye(rows).double().flip(0) * 3, Y), 3 * Y.flip(0))
    Q = torch.randn(rows, rows, generator=rng).double()
    assert_close(tall(Q, Y), Q @ Y)


@pytest.mark.parametrize("share", [0.15, 0.9])
@pytest.mark.parametrize(("rows", "features"), [(7, 12), (30, 9)])
def test_a_regression_has_the_mean_and_covariance_of_the_ridge(rows, features, share):
    """(F'F + ridge I)^-1 F' X without noise; a unit in each place of the noise spans (F'F + ridge I)^-1."""
    of, rng = side(rows, features, share)
    X, ridge = torch.randn(rows, 1, generator=rng).double(), torch.tensor(0.7).double()
    no = torch.zeros(rows, 1).double(), torch.zeros(features, 1).double()
    mean = of.regressed(X, *no, ridge)
    inverse = torch.linalg.inv(of.F.mT @ of.F + ridge * torch.eye(features))
    assert_close(mean, inverse @ of.F.mT @ X)
    units = torch.eye(rows + features).double()
    J = torch.cat([of.regressed(X, e[:rows, None], e[rows:, None], ridge) - mean for e in units], 1)
    assert_close(J @ J.mT, inverse)


def test_the_means_of_weights_are_made_anew_for_others_and_for_changed_ones():
    of, rng = side(6, 9, 0.5)
    B = torch.randn(9, 2, generator=rng).double()
    first = of.means(B)
    assert of.means(B) is first
    assert_close(of.means(B + 1), of.F @ (B + 1))
    B *= 2
    assert_close(of.means(B), of.F @ B)
