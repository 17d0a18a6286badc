"""The grid MRF against enumeration written out by hand, and against the reference's numbers."""

import itertools

import pytest
import torch

from errors import InputError
from models.grid import GridMRF, pair_table


def test_pair_table_is_by_label_distance():
    assert pair_table((10.0, 2.0), 3).tolist() == [[10, 2, 0], [2, 10, 2], [0, 2, 10]]


def test_log_joint_is_the_sum_over_sites_and_edges():
    rng = torch.Generator().manual_seed(0)
    unary, right, down = (torch.randn(s, generator=rng, dtype=torch.float64)
                          for s in ((2, 3, 3), (2, 2, 3, 3), (1, 3, 3, 3)))
    model = GridMRF(unary, right, down)
    y = torch.randint(3, (2, 3), generator=rng)
    by_hand = 0.0
    for i, j in itertools.product(range(2), range(3)):
        by_hand += float(unary[i, j, y[i, j]])
        if j < 2:
            by_hand += float(right[i, j, y[i, j], y[i, j + 1]])
        if i < 1:
            by_hand += float(down[i, j, y[i, j], y[i + 1, j]])
    assert float(model.log_joint({"labels": y})) == pytest.approx(by_hand, rel=1e-14)


def test_pixels_with_no_label_and_with_two():
    image = torch.tensor([[[0, 0, 0], [1, 1, 0]]])
    model = GridMRF.potts(image, evidence=3.0)
    assert model.unary.tolist() == [[[0, 0, 0], [3, 3, 0]]]


def test_evidence_as_data_equals_evidence_in_the_unary():
    image = torch.nn.functional.one_hot(torch.tensor([[0, 1], [1, 2]]), 3)
    seen, blind = GridMRF.potts(image, 1.5), GridMRF.potts(torch.zeros(2, 2, 3), 1.5)
    torch.testing.assert_close(blind.log_joint({"labels": blind.configurations}, image),
                               seen.log_joint({"labels": seen.configurations}))


def test_prior_and_channel_have_the_enumerated_probabilities():
    """G statistic of 4,000 draws over 16 cells; chi-squared_15 exceeds 60 with probability 2e-7."""
    model = GridMRF.potts(torch.zeros(1, 2, 2), evidence=1.0, coupling=(0.5, -0.5))
    rng = torch.Generator().manual_seed(1)
    counts = torch.zeros(16, dtype=torch.float64)
    for _ in range(4000):
        latents = model.prior(rng)
        x = model.simulate(rng, latents).argmax(-1).reshape(-1)
        y = latents["labels"].reshape(-1)
        counts[int(8 * y[0] + 4 * y[1] + 2 * x[0] + x[1])] += 1
    e = 2.718281828459045
    joint = []
    for a, b, c, d in itertools.product(range(2), repeat=4):
        prior = (e**0.5 if a == b else e**-0.5) / (2 * e**0.5 + 2 * e**-0.5)
        joint.append(prior * (e if c == a else 1) / (e + 1) * (e if d == b else 1) / (e + 1))
    expected = 4000 * torch.tensor(joint, dtype=torch.float64)
    assert float(((counts - expected) ** 2 / expected).sum()) < 60


def test_views_stay_views_when_scaled():
    model = GridMRF.potts(torch.zeros(50, 60, 3)).scaled(0.5)
    assert model.pair is not None and model.pair[0, 0] == 5
    assert model.right.untyped_storage().nbytes() <= 9 * 8


@pytest.mark.parametrize("break_it, words", [
    (lambda m: GridMRF(m.unary[..., :1], m.right[..., :1, :1], m.down[..., :1, :1]), "at least 2 labels"),
    (lambda m: GridMRF(m.unary, m.right[:, 1:], m.down), "'right'"),
    (lambda m: GridMRF(m.unary * float("nan"), m.right, m.down), "finite"),
    (lambda m: GridMRF(m.unary.float(), m.right, m.down), "float64"),
    (lambda m: GridMRF.potts(torch.full((2, 2, 2), 0.5)), "0 and 1"),
    (lambda m: GridMRF.potts(torch.zeros(2, 2)), "(H, W, K)"),
    (lambda m: GridMRF.potts(torch.zeros(5, 5, 2)).configurations, "strip"),
])
def test_wrong_input_is_one_sentence(break_it, words):
    with pytest.raises(InputError, match=words.replace("(", r"\(").replace(")", r"\)")):
        break_it(GridMRF.potts(torch.zeros(2, 3, 2)))
