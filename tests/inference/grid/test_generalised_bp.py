"""Generalised BP against libDAI's printed error, against enumeration, and its own free energy by torch."""

import pytest
import torch

from data.grid_files import read_grid
from errors import InputError
from inference.grid import generalised_bp as gbp
from inference.grid import loopy_bp, strip
from inference.grid.parts import chains
from inference.method import Kind
from models.grid import GridMRF
from tests.support import OUTSIDE
from tests.support.mixed_grids import mixed, one_thread  # noqa: F401

RNG = torch.Generator()


def run(model, sweeps=300, **options):
    state = gbp.init(RNG, model, None, **options)
    for _ in range(sweeps):
        state, info = gbp.step(RNG, state, model, None)
        if (info.residual or 0.0) < 1e-12:
            break
    return state, info


def exact(model):
    state, info = strip.step(RNG, strip.init(RNG, model, None), model, None)
    return info.log_evidence, state.labels


def test_libdais_error_on_its_own_grid():
    """HAK_LOOP4 in libDAI's test suite: log Z is off by -1.179e-5."""
    path = OUTSIDE / "fg" / "testfast.fg"
    if not path.exists():
        pytest.skip(f"needs {path}")
    _, info = run(read_grid(path))
    assert info.kind is Kind.KIKUCHI and info.converged
    assert info.log_evidence - 14.328233281 == pytest.approx(-1.179e-5, abs=5e-9 + 5e-10)


@pytest.mark.parametrize("shape", [(2, 6, 2), (5, 2, 3), (2, 2, 4)])
def test_on_two_rows_it_is_exact(shape):
    for scale in (1.0, 3.0):
        model = mixed(shape[0], shape[1], shape[2], scale)
        log_z, marginals = exact(model)
        state, info = run(model)
        assert info.log_evidence == pytest.approx(log_z, abs=1e-9)
        assert torch.allclose(gbp.expect(state, model)["labels"], marginals, atol=1e-9)


def test_it_is_closer_than_belief_propagation():
    """On grids of 4 x 4, of log Z and of the marginals, by a factor of ten and more."""
    for seed in range(4):
        model = mixed(4, 4, 2, seed=seed)
        log_z, marginals = exact(model)
        state, info = run(model)
        bp = loopy_bp.init(RNG, model, None)
        for _ in range(200):
            bp, bethe = loopy_bp.step(RNG, bp, model, None)
        assert 10 * abs(info.log_evidence - log_z) < abs((bethe.log_evidence or 0.0) - log_z)
        assert 10 * (state.marginals - marginals).abs().max() < (loopy_bp.beliefs(bp) - marginals).abs().max()


def test_every_potential_is_in_one_plaquette():
    model = mixed(3, 4, 3)
    psi = gbp.potentials(model.unary, model.right, model.down)
    y = torch.randint(3, (30, 3, 4), generator=torch.Generator().manual_seed(0))
    i, j = torch.arange(2)[:, None], torch.arange(3)
    total = psi[i, j, y[:, :-1, :-1], y[:, :-1, 1:], y[:, 1:, :-1], y[:, 1:, 1:]].sum((1, 2))
    assert torch.allclose(total, model.log_joint({"labels": y}), atol=1e-12)


def test_where_it_has_settled_regions_agree_and_the_free_energy_is_stationary():
    """Its derivative by log beliefs vanishes along all changes that keep the plaquettes' agreement: those that the
    potentials of a grid make. So d log Z / d field is the marginals."""
    model = mixed(4, 4, 2)
    state, _ = run(model)
    psi = gbp.potentials(model.unary, model.right, model.down)
    log_b = gbp.plaquettes(psi, state.edges, state.pixels)
    b = log_b.exp()
    assert torch.allclose(b[:-1].sum((2, 3)), b[1:].sum((4, 5)), atol=1e-10)
    assert torch.allclose(b[:, :-1].sum((2, 4)), b[:, 1:].sum((3, 5)), atol=1e-10)
    step = 1e-4 * torch.randn(model.unary.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    up, down = (run(GridMRF(model.unary + sign * step, model.right, model.down))[1].log_evidence for sign in (1, -1))
    assert (up - down) / 2 == pytest.approx(float((step * state.marginals).sum()), rel=1e-6)


def test_one_row_is_sent_to_where_it_is_exact():
    with pytest.raises(InputError, match="this grid is 1 x 5: use the method 'loopy_bp', which is exact here"):
        gbp.init(RNG, mixed(1, 5, 2), None)
    with pytest.raises(InputError, match="below 1, not 1"):
        gbp.init(RNG, mixed(2, 2, 2), None, damping=1.0)
    with pytest.raises(InputError, match="GB of memory for a 3 x 3 grid with 2 labels"):
        gbp.init(RNG, mixed(3, 3, 2), None, memory_gb=1e-9)


def test_the_compiled_sweep_is_the_formulas(monkeypatch):
    """The same sweeps in torch; where potentials are too far apart for products, it is torch that does them."""
    for model in (mixed(4, 5, 3), mixed(2, 3, 2), mixed(3, 2, 2), mixed(3, 4, 2, scale=400.0)):
        state = gbp.init(RNG, model, None)
        assert (gbp._compiled(state, model, None) is None) == (float(model.unary.abs().max()) > 100)
        fast = [run(model, n) for n in (1, 6)]
        with monkeypatch.context() as patched:
            patched.setattr(chains, "compiled", lambda *_: False)
            slow = [run(model, n) for n in (1, 6)]
        for (a, one), (b, other) in zip(fast, slow, strict=True):
            assert torch.allclose(a.edges, b.edges, atol=1e-11) and torch.allclose(a.pixels, b.pixels, atol=1e-11)
            assert torch.allclose(a.marginals, b.marginals, atol=1e-12)
            assert one.log_evidence == pytest.approx(other.log_evidence, abs=1e-10)
            assert one.residual == pytest.approx(other.residual, abs=1e-10)
