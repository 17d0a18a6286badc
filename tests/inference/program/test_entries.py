"""A log density entry by entry: the same as torch's, with its gradient, and quicker; or none."""

import warnings

import pytest
import torch
from torch.nn import functional as F

from inference.program.parts import density, entries, potential
from models.batched import seeded
from tests.support import programs


def everything(u: torch.Tensor) -> torch.Tensor:
    """Of every rule something: moves, rows, products, and what is asked entry by entry."""
    a, b = u[:3], u[3:].reshape(3, 1)
    grid = a * b / (1 + b**2) - 2 ** (a / 3)
    rows = torch.logsumexp(grid, -1) + torch.log_softmax(grid, 0).sum(1) + grid.softmax(1)[:, 0].cumsum(0)
    small = F.pad(torch.sigmoid(a).cumprod(0), [1, 0], value=1.0)
    ends = torch.where(a > 0.1, a.exp(), a.abs()).clamp(0.2, 1.5)
    bce = F.binary_cross_entropy_with_logits(a, torch.tensor([0.0, 1.0, 1.0]).double(), reduction="none")
    special = torch.lgamma(ends) + torch.xlogy(ends, ends + 1) + ends.sqrt().log1p() + torch.erf(a).expm1()
    filled = (a - 1).masked_fill_(b[:, 0] < 0, 0.5) + F.softplus(a) + F.logsigmoid(b[:, 0])
    filled = filled + torch.logaddexp(a, b[:, 0])
    means = grid.mean(1) + (grid @ a) + (grid.mT @ grid).diagonal() - grid.tril().sum(0, keepdim=True)[0]
    waves = a.sin() + a.flip(0).cos().atan() + a.tanh() * torch.maximum(a, b[:, 0]) - torch.minimum(a, b[:, 0]).square()
    return torch.stack([rows, small[1:].log(), small[:3], ends, bce, special, filled, means, waves]).sum()


def test_every_operation_has_torchs_value_and_gradient(monkeypatch):
    monkeypatch.setattr(entries, "WORTH", 10_000)
    rng = torch.Generator().manual_seed(0)
    quick = entries.of(everything, torch.zeros(6).double(), never)
    assert quick is not None
    for _ in range(20):
        u = torch.randn(6, generator=rng, dtype=torch.float64, requires_grad=True)
        ours, torchs = quick(u), everything(u)
        torch.testing.assert_close(ours, torchs, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(*(torch.autograd.grad(x, u)[0] for x in (ours, torchs)), rtol=1e-10, atol=1e-11)


def never(u: torch.Tensor) -> torch.Tensor:
    raise AssertionError("Python's functions are defined here")


def test_where_pythons_functions_are_undefined_torchs_are_asked():
    quick = entries.of(lambda u: u.log().sum(), torch.ones(2).double(), lambda u: u.log().sum())
    assert quick is not None
    assert float(quick(torch.zeros(2).double())) == -torch.inf


@pytest.mark.parametrize("density_of", [
    lambda u: torch.linalg.cholesky(torch.outer(u, u) + torch.eye(2)).sum(),  # in no rule
    lambda u: u.sum() * float(u[0]),  # a number of Python's
    lambda u: (u.float() ** 2).sum(),  # of another precision
    lambda u: (u[:, None] * torch.linspace(0, 1, 5000)).exp().sum(),  # torch is the faster
])
def test_what_it_cannot_do_or_not_quicker_it_leaves(density_of):
    assert entries.of(density_of, torch.ones(2).double(), density_of) is None


def test_a_loop_over_time_is_taken_entry_by_entry(tmp_path, monkeypatch):
    program = programs.program(tmp_path, programs.CHAIN)
    taken, of = [], entries.of

    def spied(*given):
        taken.append(of(*given))
        return taken[-1]

    monkeypatch.setattr(entries, "of", spied)
    with warnings.catch_warnings(), seeded(torch.Generator()):
        warnings.simplefilter("ignore")
        quick, plain = potential.log_density(program), density.of_one(program, program.data)
        u = torch.tensor([0.3, -1.0, 2.0]).double()
        assert taken[0] is not None
        torch.testing.assert_close(quick(u), plain(u), rtol=1e-12, atol=0)
