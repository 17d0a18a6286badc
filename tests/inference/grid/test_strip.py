"""The strip recursion against enumeration and other people's answers, its three arithmetics against each other."""

import subprocess
import sys

import pytest
import torch

from data.grid_files import read_grid, read_marginals
from errors import InputError
from inference.engine import choose
from inference.grid import strip
from inference.grid.compiled import strip as strip_numba
from inference.method import Kind
from models.grid import GridMRF
from tests.support import OUTSIDE, ROOT

SHARED = OUTSIDE
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no {SHARED}")
SHAPES = [(1, 1, 2), (1, 2, 3), (1, 8, 2), (7, 1, 3), (2, 1, 4), (2, 2, 5), (3, 2, 4), (2, 5, 3), (3, 3, 3), (4, 4, 2)]


@pytest.fixture(params=["torch", "linear", "wide"])
def arithmetic(request, monkeypatch):
    """The engine's name, with the compiled one made to use this arithmetic."""
    monkeypatch.setattr(strip_numba, "is_safe", lambda *tables: request.param == "linear")
    return "torch" if request.param == "torch" else "compiled"


def random_grid(shape, scale=1.0, seed=0) -> GridMRF:
    H, W, K = shape
    rng = torch.Generator().manual_seed(seed)
    unary, right, down = (scale * torch.randn(s, generator=rng, dtype=torch.float64)
                          for s in ((H, W, K), (H, W - 1, K, K), (H - 1, W, K, K)))
    return GridMRF(unary, right, down)


def solve(model, data=None, engine="auto"):
    rng = torch.Generator()
    state, info = strip.step(rng, strip.init(rng, model, data, engine=engine), model, data)
    assert info.kind is Kind.EXACT and info.converged
    return state, info.log_evidence


def enumerated(model, data=None):
    """Marginals, pair marginals (as `expect` names them), log Z and the most probable labelling."""
    y = model.configurations
    log_joint = model.log_joint({"labels": y}, data)
    p = torch.softmax(log_joint, 0)
    one = torch.nn.functional.one_hot(y, model.shape[2]).to(torch.float64)
    sums = {
        "labels": torch.einsum("n,nijk->ijk", p, one),
        "right": torch.einsum("n,nijk,nijl->ijkl", p, one[:, :, :-1], one[:, :, 1:]),
        "down": torch.einsum("n,nijk,nijl->ijkl", p, one[:, :-1], one[:, 1:]),
    }
    return sums, float(torch.logsumexp(log_joint, 0)), y[log_joint.argmax()]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_random_grids_against_enumeration(shape, arithmetic):
    model = random_grid(shape)
    expected, log_Z, best = enumerated(model)
    state, ours = solve(model, engine=arithmetic)
    torch.testing.assert_close(strip.expect(state, model), expected, rtol=1e-10, atol=1e-14)
    assert ours == pytest.approx(log_Z, rel=1e-12)
    assert torch.equal(strip.map_estimate(model, engine=arithmetic), best)


@pytest.mark.parametrize("scale", [300.0, 1e4])
@pytest.mark.parametrize("shape", [(2, 3, 3), (4, 3, 2), (1, 6, 4)], ids=str)
def test_strong_potentials_against_enumeration(shape, scale):
    """What float64 cannot hold as exp(potential): the engine must see it and stay exact."""
    model = random_grid(shape, scale)
    expected, log_Z, best = enumerated(model)
    for engine in ("auto", "torch"):
        state, ours = solve(model, engine=engine)
        torch.testing.assert_close(strip.expect(state, model), expected, rtol=1e-8, atol=1e-300)
        assert ours == pytest.approx(log_Z, rel=1e-13)
        assert torch.equal(strip.map_estimate(model, engine=engine), best)


@pytest.mark.parametrize("width, pull, coupling", [(2, 300.0, 66.0), (1, 720.0, 130.0), (1, 650.0, 150.0)])
def test_plain_float64_is_right_up_to_the_range_it_is_used_for(width, pull, coupling):
    """All that lies behind pulls to label 0, all that lies ahead to label 1, close to what plain float64 is
    trusted with at most (the last case is beyond it, by one site's range alone); every marginal above 1e-300
    still agrees with log space, relatively."""
    to_0 = torch.tensor([pull, 0.0], dtype=torch.float64)
    unary = torch.stack([to_0, to_0, to_0, to_0.flip(0), to_0.flip(0), to_0.flip(0)])[:, None].expand(6, width, 2)
    pair = coupling * torch.eye(2, dtype=torch.float64)
    model = GridMRF(unary, pair.expand(6, width - 1, 2, 2), pair.expand(5, width, 2, 2))
    frontier, _ = strip_numba.ranges(model.unary, model.right, model.down)
    assert 0.94 < frontier / strip_numba.MAX_RANGE <= 1
    plain, logs = (solve(model, engine=engine) for engine in ("compiled", "torch"))
    torch.testing.assert_close(strip.expect(plain[0], model), strip.expect(logs[0], model), rtol=1e-9, atol=1e-300)
    assert plain[1] == pytest.approx(logs[1], rel=1e-13)
    assert float(logs[0].labels.min()) < 1e-150


@pytest.mark.parametrize("shape", [(9, 8, 2), (5, 7, 3), (3, 6, 5)], ids=str)
def test_arithmetics_agree_where_nothing_can_be_listed(shape, arithmetic):
    model = random_grid(shape, 2.0)
    state, log_Z = solve(model, engine=arithmetic)
    twin, twin_log_Z = solve(model, engine="torch")
    torch.testing.assert_close(strip.expect(state, model), strip.expect(twin, model), rtol=1e-9, atol=0)
    assert log_Z == pytest.approx(twin_log_Z, rel=1e-13)
    assert torch.equal(strip.map_estimate(model, engine=arithmetic), strip.map_estimate(model, engine="torch"))


def test_reference_image_to_1e_8_relative(arithmetic):
    """The homework's printed posterior (9 digits) of the 3 x 3 image, down to its 1.955e-15; log Z from DESIGN.md."""
    model = GridMRF.potts(torch.nn.functional.one_hot(torch.tensor([[0, 0, 0], [0, 0, 0], [1, 1, 1]]), 2))
    state, log_Z = solve(model, engine=arithmetic)
    printed = [[5.79905571e-12, 1.95516261e-15, 5.79905571e-12], [1.51930154e-08, 6.56942344e-12, 1.51930154e-08],
               [9.97476218e-01, 9.97515359e-01, 9.97476218e-01]]
    torch.testing.assert_close(state.labels[..., 1], torch.tensor(printed, dtype=torch.float64), rtol=1e-8, atol=0)
    assert log_Z == pytest.approx(186.00257856088436, rel=1e-13)


@needs_shared
@pytest.mark.parametrize("name, size, log_Z", [
    ("grid-12", 10, 697.8812), pytest.param("grid-15", 20, 671.739257, marks=pytest.mark.slow),
    ("grid-16", 20, 1531.487263)])
def test_uai_2014_grids(name, size, log_Z):
    """Marginals published to 6 digits and ln Z, of the UAI 2014 inference competition."""
    model = read_grid(SHARED / "uai" / f"{name}.uai")
    assert model.shape == (size, size, 2)
    state, ours = solve(model)
    published = read_marginals(SHARED / "uai" / f"{name}.uai.MAR").reshape(model.shape)
    torch.testing.assert_close(state.labels, published, rtol=0, atol=1e-6)
    assert ours == pytest.approx(log_Z, abs=1e-4 if name == "grid-12" else 1e-6)


@needs_shared
def test_libdai_grid(arithmetic):
    """libDAI's junction tree on its own testfast.fg, printed to 4 digits; ln Z computed independently."""
    model = read_grid(SHARED / "fg" / "testfast.fg")
    state, log_Z = solve(model, engine=arithmetic)
    printed = [0.3500, 0.6447, 0.4997, 0.3049, 0.3699, 0.6401, 0.5793, 0.5437,
               0.2800, 0.7083, 0.5776, 0.5375, 0.3542, 0.9038, 0.2408, 0.6910]
    assert state.labels[..., 0].reshape(-1).tolist() == pytest.approx(printed, abs=5.1e-5)
    assert log_Z == pytest.approx(14.328233281, abs=1e-8)


@pytest.mark.parametrize("shape", [(2, 3, 2), *(
    pytest.param(shape, marks=pytest.mark.slow) for shape in ((3, 2, 2), (1, 3, 4)))], ids=str)
def test_draws_have_the_enumerated_probabilities(shape):
    """Pearson's statistic of 3,000 draws over 64 cells; chi-squared_63 exceeds 133 with probability 6e-7."""
    model = random_grid(shape, 0.2)
    n, probability = 3000, torch.softmax(model.log_joint({"labels": model.configurations}), 0)
    assert n * float(probability.min()) > 5
    rng = torch.Generator().manual_seed(5)
    state, _ = solve(model)
    drawn = torch.stack([strip.draw(rng, state, model)["labels"] for _ in range(n)]).reshape(n, -1)
    power = model.shape[2] ** torch.arange(drawn.shape[1] - 1, -1, -1)
    counts = torch.bincount((drawn * power).sum(1), minlength=64)
    assert float(((counts - n * probability) ** 2 / (n * probability)).sum()) < 133


def test_an_image_given_as_data_is_the_image_in_the_unary(arithmetic):
    image = torch.nn.functional.one_hot(torch.tensor([[0, 1, 2], [1, 1, 0]]), 3)
    seen, blind = GridMRF.potts(image, 1.5, (1.0, 0.3)), GridMRF.potts(torch.zeros(2, 3, 3), 1.5, (1.0, 0.3))
    torch.testing.assert_close(solve(blind, image.double(), arithmetic)[0].labels, enumerated(seen)[0]["labels"])
    assert torch.equal(strip.map_estimate(blind, image.double(), engine=arithmetic),
                       strip.map_estimate(seen, engine=arithmetic))


@pytest.mark.parametrize("options, words", [
    ({"engine": "fortran"}, "unknown engine of strip 'fortran'"),
    ({"memory_gb": 0.0}, "memory_gb of strip must be above 0"),
    ({"memory_gb": float("nan")}, "memory_gb of strip must be above 0"),
    ({"memory_gb": 1e-6}, "needs 7.17e-06 GB of memory for a 5 x 6 grid with 2 labels and may take 1e-06 GB"),
])
def test_wrong_options_are_one_sentence(options, words):
    with pytest.raises(InputError, match=words):
        strip.init(torch.Generator(), random_grid((5, 6, 2)), None, **options)


def test_compiled_code_is_for_the_cpu():
    cuda = torch.device("cuda")
    assert [choose("strip", engine, cuda) for engine in ("auto", "torch")] == ["torch", "torch"]
    with pytest.raises(InputError, match="strip's compiled engine runs on the CPU, not on cuda"):
        choose("strip", "compiled", cuda)


def test_a_large_image_is_refused_and_others_named():
    with pytest.raises(InputError, match=r"10\^187 GB .* use loopy_bp, mean_field or gibbs"):
        strip.init(torch.Generator(), GridMRF.potts(torch.zeros(640, 640, 2)), None)
    with pytest.raises(InputError, match="strip needs"):
        strip.map_estimate(GridMRF.potts(torch.zeros(100, 100, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("beta", [1.0, 10.0], ids=["linear", "wide"])
def test_20_by_20_fits_in_1_gb(beta):
    program = f"""
import resource, torch
from inference.grid import strip
from models.grid import GridMRF
image = torch.nn.functional.one_hot(torch.arange(400).reshape(20, 20) // 7 % 2, 2)
model = GridMRF.potts(image).scaled({beta})
strip.step(None, strip.init(None, model, None), model, None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True,
                         text=True, check=True)
    assert int(run.stdout) * 1024 < 1e9  # Linux counts in KiB
