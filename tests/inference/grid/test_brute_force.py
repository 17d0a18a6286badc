"""The reference's exact posterior of `small` by three exact methods, and enumeration against sums written out."""

import itertools
import math

import pytest
import torch
from scipy.stats import chi2

from errors import InputError
from inference.grid import brute_force, junction_tree_pgmpy, variable_elimination_pgmpy
from inference.method import Kind
from models.grid import GridMRF

SMALL = GridMRF.potts(torch.nn.functional.one_hot(torch.tensor([[0, 0, 0], [0, 0, 0], [1, 1, 1]]), 2))
P1 = [5.79905571e-12, 1.95516261e-15, 5.79905571e-12,  # the source's equation 2
      1.51930154e-08, 6.56942344e-12, 1.51930154e-08,
      9.97476218e-01, 9.97515359e-01, 9.97476218e-01]
P0 = [1, 1, 1, 0.99999998, 1, 0.99999998, 0.00252378, 0.00248464, 0.00252378]  # its equation 1
LOG_Z = 186.00257856088436
EXACT = pytest.mark.parametrize("method", [brute_force, variable_elimination_pgmpy, junction_tree_pgmpy],
                                ids=["brute_force", "elimination", "junction_tree"])


def solve(method, model, data=None):
    rng = torch.Generator().manual_seed(0)
    state, info = method.step(rng, method.init(rng, model, data), model, data)
    return state, info


@EXACT
def test_the_reference(method):
    """Checkpoint 1.1."""
    state, info = solve(method, SMALL)
    marginals = method.expect(state, SMALL)["labels"]
    assert marginals[..., 1].flatten().tolist() == pytest.approx(P1, rel=1e-8)
    assert marginals[..., 0].flatten().tolist() == pytest.approx(P0, abs=5.1e-9)
    assert info.log_evidence == pytest.approx(LOG_Z, rel=1e-12) and info.kind is Kind.EXACT and info.converged


def test_every_labelling_has_the_probability_written_out():
    rng = torch.Generator().manual_seed(0)
    unary, right, down = (torch.randn(s, generator=rng, dtype=torch.float64)
                          for s in ((2, 2, 3), (2, 1, 3, 3), (1, 2, 3, 3)))
    model = GridMRF(unary, right, down)
    state, info = solve(brute_force, model)
    u, r, d = model.unary.tolist(), model.right.tolist(), model.down.tolist()
    weight = {
        (a, b, c, e): math.exp(u[0][0][a] + u[0][1][b] + u[1][0][c] + u[1][1][e]
                               + r[0][0][a][b] + r[1][0][c][e] + d[0][0][a][c] + d[0][1][b][e])
        for a, b, c, e in itertools.product(range(3), repeat=4)
    }
    Z = sum(weight.values())
    assert info.log_evidence == pytest.approx(math.log(Z), rel=1e-14)
    for y, p in zip(model.configurations, state.probability, strict=True):
        assert float(p) == pytest.approx(weight[tuple(y.flatten().tolist())] / Z, rel=1e-12)
    expected = sum(w for y, w in weight.items() if y[2] == 1) / Z
    assert float(brute_force.expect(state, model)["labels"][1, 0, 1]) == pytest.approx(expected, rel=1e-12)


def test_draws_have_the_probabilities_of_the_labellings():
    """Chi-squared of 4,000 draws over 64 labellings, at 1e-7."""
    model = GridMRF.potts(torch.zeros(2, 3, 2), 0.5, (0.3, -0.1))
    image = torch.nn.functional.one_hot(torch.tensor([[0, 1, 1], [0, 0, 1]]), 2)
    state, _ = solve(brute_force, model, image)
    rng = torch.Generator().manual_seed(1)
    counts = torch.zeros(64, dtype=torch.float64)
    for _ in range(4000):
        y = brute_force.draw(rng, state, model)["labels"].flatten()
        counts[int((y * 2 ** torch.arange(5, -1, -1)).sum())] += 1
    expected = 4000 * state.probability
    assert float(((counts - expected) ** 2 / expected).sum()) < chi2.isf(1e-7, 63)


def test_ten_thousand_nats_are_no_nan():
    image = torch.nn.functional.one_hot(torch.tensor([[0, 1], [1, 1]]), 2)
    state, info = solve(brute_force, GridMRF.potts(image, 1e4, (3e4,)))
    assert info.log_evidence == pytest.approx(15e4, rel=1e-14)  # all ones: 3 of 4 pixels, 4 edges
    assert float(state.probability[-1]) == 1.0


def test_too_many_labellings_are_refused():
    model = GridMRF.potts(torch.zeros(5, 5, 2))
    with pytest.raises(InputError, match=r"2\^25 configurations of a 5 x 5 grid .* use the method 'strip'"):
        brute_force.init(torch.Generator(), model, None)
