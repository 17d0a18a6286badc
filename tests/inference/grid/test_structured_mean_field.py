"""Structured mean field against enumeration, the strip recursion, naive mean field and an independent ELBO."""

import itertools
from dataclasses import replace

import pytest
import torch

from errors import InputError
from inference.grid import mean_field, strip, structured_mean_field
from inference.method import Kind
from models.grid import GridMRF
from tests.support.mixed_grids import mixed

RNG = torch.Generator()
LINES = structured_mean_field.LINES


def run(model, sweeps, state=None, **options):
    state = state or structured_mean_field.init(RNG, model, None, **options)
    infos = []
    for _ in range(sweeps):
        state, info = structured_mean_field.step(RNG, state, model, None)
        infos.append(info)
    return state, infos


def log_z(model) -> float:
    return float(torch.logsumexp(model.log_joint({"labels": model.configurations}), 0))


def enumerated_elbo(state, model: GridMRF) -> float:
    """E_q[log p~ - log q] over every labelling, with log q from the chains' own potentials."""
    y, (H, W, _) = model.configurations, model.shape
    across = state.lines == "columns"
    rows, columns = torch.arange(H)[:, None], torch.arange(W)
    phi = state.phi.transpose(0, 1) if across else state.phi
    log_q = phi[rows, columns, y].sum((1, 2)) - state.log_z.sum()
    log_q = log_q + (model.down[rows[:-1], columns, y[:, :-1], y[:, 1:]] if across else
                     model.right[rows, columns[:-1], y[:, :, :-1], y[:, :, 1:]]).sum((1, 2))
    assert float(log_q.exp().sum()) == pytest.approx(1.0, abs=1e-12)
    return float((log_q.exp() * (model.log_joint({"labels": y}) - log_q)).sum())


@pytest.mark.parametrize("lines", LINES)
def test_the_elbo_is_the_enumerated_one_rises_and_stays_below_log_z(lines):
    for seed, (H, W, K) in enumerate([(3, 4, 2), (2, 3, 3), (4, 2, 2), (3, 1, 3)]):
        model = mixed(H, W, K, seed=seed)
        state = structured_mean_field.init(RNG, model, None, lines=lines)
        bounds = []
        for _ in range(6):
            state, info = structured_mean_field.step(RNG, state, model, None)
            assert info.kind is Kind.LOWER and info.elbo == pytest.approx(enumerated_elbo(state, model), abs=1e-11)
            bounds.append(info.elbo or 0.0)
        assert all(b >= a - 1e-11 for a, b in itertools.pairwise(bounds)) and bounds[-1] <= log_z(model) + 1e-11


@pytest.mark.parametrize("shape, lines", [((1, 9, 3), "rows"), ((9, 1, 2), "columns")])
def test_one_line_is_exact(shape, lines):
    model = mixed(shape[0], shape[1], shape[2], 2.0)
    state, (info,) = run(model, 1, lines=lines)
    exact, said = strip.step(RNG, strip.init(RNG, model, None), model, None)
    assert info.log_evidence == pytest.approx(said.log_evidence, abs=1e-11)
    assert torch.allclose(structured_mean_field.expect(state, model)["labels"], exact.labels, atol=1e-12)


@pytest.mark.parametrize("lines", LINES)
@pytest.mark.parametrize("scale", [0.5, 2.0, 30.0])
def test_from_naive_mean_fields_optimum_the_bound_only_rises(lines, scale):
    """The same start: its family holds the naive one, and every update is the best of the chain it updates."""
    for seed in range(12):
        H, W, K = (4, 5, 2) if seed % 2 else (3, 4, 3)
        model = mixed(H, W, K, scale, seed)
        naive = mean_field.init(RNG, model, None)
        for _ in range(60):
            naive, info = mean_field.step(RNG, naive, model, None)
        q = naive.log_q.exp()
        start = structured_mean_field.init(RNG, model, None, lines=lines)
        start = replace(start, q=q if lines == "rows" else q.transpose(0, 1).contiguous())
        _, (ours,) = run(model, 1, start)
        assert ours.elbo is not None and info.elbo is not None and ours.elbo >= info.elbo - 1e-9 * scale * H * W


def test_at_a_fixed_point_nothing_is_left_to_gain():
    """The gradient of the enumerated ELBO by the chains' potentials vanishes there, and did not before."""
    model = mixed(3, 3, 2)
    (early, _), (fixed, infos) = run(model, 1), run(model, 300)
    assert infos[-1].residual < 1e-14

    def slope(state) -> float:
        phi = state.phi.clone().requires_grad_()
        q, z = structured_mean_field.smoothed(phi, model.right)
        (gradient,) = torch.autograd.grad(structured_mean_field.elbo(phi, q, z, model.unary, model.down), phi)
        return float(gradient.abs().max())

    assert slope(fixed) < 1e-12 < 1e-4 < slope(early)


def test_draws_have_the_pair_probabilities_of_the_chains():
    """Hoeffding at 1e-6 over all neighbours in a row and their four labellings."""
    model = mixed(2, 3, 2, 1.5)
    state, _ = run(model, 20)
    n, rng = 4000, torch.Generator().manual_seed(1)
    y = torch.stack([structured_mean_field.draw(rng, state, model)["labels"] for _ in range(n)])
    row = GridMRF(state.phi[:1].contiguous(), model.right[:1].contiguous(), model.down[:0])
    p = torch.softmax(row.log_joint({"labels": row.configurations}), 0)
    bound = (torch.tensor(2 * 8 / 1e-6).log() / (2 * n)).sqrt()
    for j, k, l in itertools.product(range(2), range(2), range(2)):
        exact = p[(row.configurations[:, 0, j] == k) & (row.configurations[:, 0, j + 1] == l)].sum()
        assert abs(((y[:, 0, j] == k) & (y[:, 0, j + 1] == l)).double().mean() - exact) < bound


def test_other_lines_are_refused():
    with pytest.raises(InputError, match="unknown lines of structured_mean_field 'diagonals'"):
        structured_mean_field.init(RNG, mixed(2, 2, 2), None, lines="diagonals")  # type: ignore[arg-type]
