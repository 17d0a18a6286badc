"""Draws under vmap are from the laws that torch draws from one by one."""

import math

import pytest
import torch
from scipy import stats

from models import batched
from models.batched import double, seeded

N = 20_000
LAWS = {
    "normal_": (lambda x: x.normal_(2.0, 3.0), stats.norm(2, 3)),
    "uniform_": (lambda x: x.uniform_(2.0, 5.0), stats.uniform(2, 3)),
    "exponential_": (lambda x: x.exponential_(4.0), stats.expon(scale=0.25)),
    "cauchy_": (lambda x: x.cauchy_(1.0, 2.0), stats.cauchy(1, 2)),
    "Dirichlet": (lambda x: torch.distributions.Dirichlet(torch.tensor([2.0, 3.0])).sample()[0], stats.beta(2, 3)),
    "Gamma": (lambda x: torch.distributions.Gamma(3.0, 2.0).sample(), stats.gamma(3, scale=0.5)),
}


@pytest.mark.parametrize("name", LAWS)
def test_a_draw_has_its_law(name):
    """Kolmogorov and Smirnov: a false alarm in a million."""
    draw, law = LAWS[name]
    with seeded(torch.Generator().manual_seed(1)):
        found = batched.over(lambda _: draw(torch.empty(())), [torch.zeros(N)], vectorised=True)
    assert len(found.unique()) > 0.99 * N and stats.kstest(found.numpy(), law.cdf).pvalue > 1e-6


def test_the_same_seed_draws_the_same_and_nothing_global_is_moved():
    before, precision = torch.get_rng_state(), torch.get_default_dtype()
    drawn = []
    for _ in range(2):
        with seeded(torch.Generator().manual_seed(3)):
            drawn.append(torch.randn(4))
    assert torch.equal(*drawn) and drawn[0].dtype == torch.float64
    assert torch.equal(before, torch.get_rng_state()) and torch.get_default_dtype() == precision


def test_one_by_one_and_together_are_the_same():
    x = torch.arange(5.0)

    def function(tree):
        return {"log": tree["x"].log1p(), "both": torch.stack([tree["x"], math.pi * tree["x"]])}

    with double():
        together, alone = (batched.over(function, [{"x": x}], vectorised=v, chunk=2) for v in (True, False))
    assert all(torch.equal(together[name], alone[name]) for name in together)


def test_a_matrix_without_a_factor_does_not_stop_the_others():
    covariances = torch.stack([torch.eye(2), torch.tensor([[1.0, 2.0], [2.0, 1.0]])])

    def log_p(K):
        return torch.distributions.MultivariateNormal(torch.zeros(2), K, validate_args=False).log_prob(torch.ones(2))

    found = batched.over(log_p, [covariances], vectorised=True)
    assert abs(float(found[0]) + 1.0 + math.log(2 * math.pi)) < 1e-6 and float(found[1]) == -math.inf


def test_multinomial_counts_under_vmap():
    """Counts are binomial, each, and their density is torch's."""
    law = torch.distributions.Multinomial(10, torch.tensor([0.2, 0.3, 0.5]))
    with seeded(torch.Generator().manual_seed(5)):
        x = batched.over(lambda _: law.sample(), [torch.zeros(N)], vectorised=True)
    assert bool((x.sum(-1) == 10).all())
    for k, p in enumerate((0.2, 0.3, 0.5)):
        assert abs(float(x[:, k].mean()) - 10 * p) < 5.5 * (10 * p * (1 - p) / N) ** 0.5
        counts = torch.bincount(x[:, k].long(), minlength=11).numpy()
        assert stats.chisquare(counts[:9], counts[:9].sum() * (q := stats.binom(10, p).pmf(range(9))) / q.sum()
                               ).pvalue > 1e-6
    together = batched.over(lambda v: law.log_prob(v), [x[:20]], vectorised=True)
    assert torch.allclose(together, law.log_prob(x[:20]))


def test_what_is_written_into_is_each_replicates_own():
    """The exponentials of a number's multiples, written one by one into a new tensor, as OrderedLogistic does."""
    def function(x):
        p = torch.zeros(3)
        for k in range(3):
            p[k] = (k * x).exp()
        return p

    x = torch.tensor([0.5, -1.0])
    found = batched.over(function, [x], vectorised=True)
    assert torch.allclose(found, (torch.arange(3.0) * x[:, None]).exp())
