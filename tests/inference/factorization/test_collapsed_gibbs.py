"""V with U integrated out: the slice against joint Gaussians, the users against the row conditional."""

import math
from contextlib import nullcontext

import pytest
import torch
from torch.distributions import MultivariateNormal

from errors import InputError
from inference.factorization import collapsed_gibbs
from inference.factorization.parts import row_conditional
from inference.factorization.parts.by_row import sides
from models.factorization import Factorization
from models.ratings import Ratings
from tests.support.some_factorization import problem

pytestmark = pytest.mark.usefixtures("one_thread")


def collapsed_density(V, data, model):
    """log p(V, r) with U integrated out, from the definition: every user's ratings are jointly Gaussian."""
    total = MultivariateNormal(torch.zeros(model.rank).double(), model.prior_variance * torch.eye(model.rank).double()
                               ).log_prob(V).sum()
    for i in range(model.num_users):
        mine = data.user == i
        if mine.any():
            V_i = V[data.item[mine]]
            covariance = (model.prior_variance * V_i @ V_i.T
                          + model.noise_variance * torch.eye(len(V_i), dtype=torch.float64))
            total = total + MultivariateNormal(torch.zeros(len(V_i)).double(), covariance).log_prob(data.rating[mine])
    return total


def raters(V, data, model):
    users, order, counts = collapsed_gibbs._raters(data)
    rating = data.rating[order].split(counts)
    return users, rating, *collapsed_gibbs.conditional(V, users, rating, model)


def test_users_given_v_are_the_row_conditional():
    model, data, rng = problem()
    V = model.prior(rng)["V"]
    _, _, m, C = raters(V, data, model)
    expected = row_conditional.posterior(sides(model, data)[0], V, row_conditional.Prior.of(model), 0.4)
    torch.testing.assert_close(m, expected.mean, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(C, expected.spread, rtol=1e-9, atol=1e-10)


def test_the_slice_is_the_collapsed_density(monkeypatch):
    """On the ellipse through v_j the likelihood differs by what the joint Gaussians say, whatever the angle."""
    model, data, rng = problem()
    V = model.prior(rng)["V"]
    users, rating, m, C = raters(V, data, model)
    seen = []

    def stay(self, rng):
        seen.append(self)
        return torch.ones(1).double(), torch.zeros(1).double(), 1.0

    monkeypatch.setattr(collapsed_gibbs.Slice, "angle", stay)
    for j in (0, 4):
        i = users[j]
        state = torch.Generator().manual_seed(9)
        collapsed_gibbs.move(state, V[j], m[i], C[i].clone(), rating[j], model)
        w = math.sqrt(1.5) * torch.randn(3, generator=state.manual_seed(9), dtype=torch.float64)
        at = []
        for t in (0.0, 0.3, 2.5):
            moved = V.clone()
            moved[j] = math.cos(t) * V[j] + math.sin(t) * w
            prior = -0.5 * float(moved[j] @ moved[j]) / 1.5
            at.append((float(collapsed_density(moved, data, model)) - prior,
                       float(seen[-1].log_likelihood(torch.tensor([t], dtype=torch.float64)))))
        for joint, ours in at[1:]:
            assert joint - at[0][0] == pytest.approx(ours - at[0][1], rel=1e-9)


def test_after_a_move_the_users_are_those_of_the_new_v():
    model, data, rng = problem()
    V = model.prior(rng)["V"]
    users, rating, m, C = raters(V, data, model)
    for j in (0, 4):
        i = users[j]
        v, m_i, C_i, tried = collapsed_gibbs.move(rng, V[j], m[i], C[i], rating[j], model)
        assert not torch.equal(v, V[j]) and tried >= 1
        V = torch.cat([V[:j], v[None], V[j + 1:]])
        _, _, m, C = raters(V, data, model)
        torch.testing.assert_close(m_i, m[i], rtol=1e-8, atol=1e-9)
        torch.testing.assert_close(C_i, C[i], rtol=1e-8, atol=1e-9)


def test_a_step_that_takes_minutes_is_refused_and_says_so():
    """A user with 100,000 ratings: two minutes and a half, by the cost of an item."""
    for count, fits in ((1_000, True), (100_000, False)):
        item = torch.arange(count)
        data, model = Ratings(0 * item, item, (item % 5).double(), 1, count), Factorization(1, count, 2)
        state = collapsed_gibbs.State(**model.prior(torch.Generator()))
        with nullcontext() if fits else pytest.raises(InputError, match=r"about 150 s .* 100,000 items.*use row_gibbs"):
            collapsed_gibbs.preflight(torch.Generator(), state, model, data)


def test_a_pair_rated_twice_is_refused():
    twice = torch.tensor([0, 1, 1]), torch.tensor([1, 0, 0])
    data = Ratings(*twice, torch.ones(3).double(), 2, 2)
    with pytest.raises(InputError, match="user 1 rated item 0 more than once"):
        collapsed_gibbs.init(torch.Generator(), Factorization(2, 2, 1), data)
