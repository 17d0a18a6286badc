"""The kernels on grids leave p(y) as it is: by their exact transition matrices, and by independent replicates."""

import itertools
from dataclasses import replace

import pytest
import torch
from scipy.stats import chi2
from torch import Tensor

from inference.grid import metropolised_gibbs, parallel_tempering, row_block_gibbs, swendsen_wang
from inference.grid.parts.single_site import colours, conditional
from inference.job import generator
from models.grid import GridMRF
from tests.support.mixed_grids import mixed, one_thread  # noqa: F401

KERNELS = {"metropolised_gibbs": metropolised_gibbs, "row_block_gibbs": row_block_gibbs,
           "swendsen_wang": swendsen_wang}
SHAPES = [(2, 3, 2), (2, 2, 3)]


def posterior(model: GridMRF) -> Tensor:
    return torch.softmax(model.log_joint({"labels": model.configurations}), 0)


def index(y: Tensor, K: int) -> Tensor:
    """The number of a labelling (..., H, W) in `model.configurations`."""
    digits = y.flatten(-2)
    return (digits * K ** torch.arange(digits.shape[-1] - 1, -1, -1)).sum(-1)


def independent(rows: Tensor, pixels: Tensor, Y: Tensor) -> Tensor:
    """P(y -> y') where each of some pixels is drawn from its row of (n, H, W, K) and the others stay."""
    stay = torch.nn.functional.one_hot(Y, rows.shape[-1]).double()
    rows = torch.where(pixels[..., None], rows, stay)
    return torch.stack([rows.gather(-1, y.expand(len(Y), *y.shape)[..., None]).prod(-2).prod(-2)[:, 0] for y in Y], 1)


def metropolised_matrix(model: GridMRF, gibbs: float = 0.1) -> Tensor:
    Y, tables = model.configurations, (model.unary, model.right, model.down)
    P = torch.eye(len(Y), dtype=torch.float64)
    for pixels in colours(model.unary):
        rows = metropolised_gibbs.transition_probability(torch.softmax(conditional(Y, *tables), -1), Y, gibbs)
        rows = rows.scatter(-1, Y[..., None], 1 - rows.sum(-1, keepdim=True))
        assert bool((rows > -1e-15).all())
        P = P @ independent(rows, pixels, Y)
    return P


def row_block_matrix(model: GridMRF) -> Tensor:
    Y, K = model.configurations, model.shape[2]
    P = torch.eye(len(Y), dtype=torch.float64)
    for i in [*range(0, model.shape[0], 2), *range(1, model.shape[0], 2)]:
        M = torch.zeros_like(P)
        for n, y in enumerate(Y):
            phi = row_block_gibbs.row_field(y, model.unary, model.down, torch.tensor([i]))
            last, left = row_block_gibbs.forward_filter(phi, model.right[[i]])
            for row in itertools.product(range(K), repeat=model.shape[1]):
                p = last[0, row[-1]]
                for j in range(len(row) - 1):
                    p = p * left[0, j, row[j], row[j + 1]]
                to = y.clone()
                to[i] = torch.tensor(row)
                M[n, index(to, K)] = p
        P = P @ M
    return P


def swendsen_wang_matrix(model: GridMRF) -> Tensor:
    """Sum over all sets of bonds of p(bonds | y) times the product of the clusters' matrices."""
    Y, K = model.configurations, model.shape[2]
    effects, *rests = swendsen_wang.split(model)
    tables = model.unary + effects, *rests
    chance = [c.flatten(1) for c in swendsen_wang.bond_probability(Y, *tables[1:])]
    edges, across = torch.cat(chance, 1), chance[0].shape[1]
    P, n = torch.zeros(len(Y), len(Y), dtype=torch.float64), torch.arange(len(Y))
    for bits in itertools.product([False, True], repeat=edges.shape[1]):
        bound = torch.tensor(bits)
        weight = torch.where(bound, edges, 1 - edges).prod(1)
        if not weight.any():
            continue
        member = swendsen_wang.clusters(bound[:across].reshape(model.right.shape[:2]),
                                        bound[across:].reshape(model.down.shape[:2]))
        M = torch.eye(len(Y), dtype=torch.float64)
        for root in member.unique():
            inside = member == root
            p = torch.softmax(swendsen_wang.cluster_potentials(Y, inside, *tables), -1)
            T = torch.zeros_like(M)
            for k in range(K):
                T[n, index(torch.where(inside, k, Y), K)] += p[:, k]
            M = M @ T
        P += weight[:, None] * M
    return P


MATRICES = {"metropolised_gibbs": metropolised_matrix, "row_block_gibbs": row_block_matrix,
            "swendsen_wang": swendsen_wang_matrix}


def replicates(name: str, model: GridMRF, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """n labellings drawn from p(y), what one step makes of them, and the step's estimates of the marginals."""
    kernel, rng = KERNELS[name], generator(1, name, "cpu")
    before = torch.multinomial(posterior(model), n, replacement=True, generator=rng)
    after, sums = [], []
    for y in model.configurations[before]:
        state, _ = kernel.step(rng, kernel.start(rng, model, None, {"labels": y}), model, None)
        after.append(kernel.draw(rng, state, model)["labels"])
        sums.append(kernel.expect(state, model)["labels"])
    return before, index(torch.stack(after), model.shape[2]), torch.stack(sums)


def chi_square(counts: Tensor, expected: Tensor) -> float:
    """Pearson's p-value, rare cells pooled until 20 are expected."""
    order = expected.flatten().argsort(descending=True)
    counts, expected = counts.flatten()[order].double(), expected.flatten()[order]
    cell = (expected.cumsum(0) / 20).floor().long()
    cells = int(cell.max()) + 1
    counts, expected = (torch.zeros(cells).double().index_add(0, cell, x) for x in (counts, expected))
    counts, expected = (x[expected > 0] for x in (counts, expected))
    if expected[-1] < 20:
        counts, expected = (torch.cat([x[:-2], x[-2:].sum(0, keepdim=True)]) for x in (counts, expected))
    return float(chi2.sf(float(((counts - expected) ** 2 / expected).sum()), len(expected) - 1))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", MATRICES)
def test_matrix_and_replicates(name, shape):
    """pP = p to rounding, P reaches everything; 3,000 steps follow P and average to p's marginals.

    False alarms: 1e-7 by chi-square, 1e-8 over all marginals by the normal tail at 6.5 standard errors.
    """
    model = mixed(*shape)
    p, P, n = posterior(model), MATRICES[name](model), 3000
    assert torch.allclose(P.sum(1), torch.ones_like(p), atol=1e-13)
    assert torch.allclose(p @ P, p, rtol=1e-11, atol=0) and bool((P > 0).all())
    before, after, estimates = replicates(name, model, n)
    counts = torch.bincount(before * len(p) + after, minlength=len(p) ** 2)
    assert chi_square(counts, n * p[:, None] * P) > 1e-7
    agree(estimates, model)


def agree(estimates: Tensor, model: GridMRF) -> None:
    exact = model.quantities({"labels": model.configurations})["labels"].movedim(0, -1) @ posterior(model)
    error = estimates.std(0) / len(estimates) ** 0.5
    assert bool(((estimates.mean(0) - exact).abs() < 6.5 * error).all())


@pytest.mark.parametrize("shape", [SHAPES[0], *(pytest.param(x, marks=pytest.mark.slow) for x in SHAPES[1:])], ids=str)
def test_parallel_tempering_replicates(shape):
    """3,000 starts have exact hot copies, and a step leaves every temperature as it was. False alarms: as above."""
    model, n, rng = mixed(*shape), 3000, generator(2, "tempering", "cpu")
    data = 2 * torch.rand(shape, dtype=torch.float64, generator=rng)
    unseen = replace(model, unary=model.unary - data, evidence=1.0)  # the image makes it `model`
    p, K = posterior(model), shape[2]
    begins, ends, sums = [], [], []
    for y in model.configurations[torch.multinomial(p, n, replacement=True, generator=rng)]:
        state = parallel_tempering.start(rng, unseen, data, {"labels": y}, copies=3, hottest=0.3)
        begins.append(index(state.labels, K))
        state, _ = parallel_tempering.step(rng, state, unseen, data)
        ends.append(index(state.labels, K))
        sums.append(parallel_tempering.expect(state, model)["labels"])
    for copy, beta in enumerate((1.0, 0.3**0.5, 0.3)):
        for seen in (begins, ends):
            counts = torch.bincount(torch.stack(seen)[:, copy], minlength=len(p))
            assert chi_square(counts, n * posterior(model.scaled(beta))) > 1e-7
    agree(torch.stack(sums), model)


def test_swaps_keep_all_temperatures():
    """The exact matrix of the swaps of three copies, found by offering just less and just more than the ratio."""
    model, betas = mixed(1, 2, 2, scale=2.0), torch.tensor([1.0, 0.5, 0.2], dtype=torch.float64)
    L = model.log_joint({"labels": model.configurations})
    weight = torch.exp(betas[:, None] * L)
    target = torch.einsum("i,j,k->ijk", *weight)
    after = torch.zeros_like(target)
    for x in itertools.product(range(4), repeat=3):
        for takes in itertools.product([True, False], repeat=2):
            y, chance, offers = list(x), target[x].clone(), []
            for r, take in enumerate(takes):
                accept = weight[r, y[r + 1]] * weight[r + 1, y[r]] / (weight[r, y[r]] * weight[r + 1, y[r + 1]])
                offers.append(accept * (1 - 1e-9 if take else 1 + 1e-9))
                chance *= accept.clamp(max=1) if take else 1 - accept.clamp(max=1)
                if take:
                    y[r : r + 2] = y[r + 1], y[r]
            if chance > 0:
                order, share = parallel_tempering.swaps(betas, L[list(x)], torch.stack(offers))
                assert [x[r] for r in order] == y and share == sum(takes) / 2
                after[tuple(y)] += chance
    assert torch.allclose(after, target, rtol=1e-12)
