"""Tori and cylinders, against listing all labellings of the file's own factors."""

import itertools

import numpy as np
import pytest
import torch

import run
from data.factor_files import Factors, format_fg, format_uai, parse_uai
from data.grid_files import read_evidence, read_grid
from data.grid_written import write_grid
from errors import InputError
from inference import load
from inference.drive import drive
from inference.job import Plan
from inference.result import Result
from models.folded import Folded

SHAPES = [(3, 3, 2, True, True), (3, 4, 2, True, True), (4, 4, 2, True, True), (4, 3, 2, False, True),
          (3, 2, 3, True, False), (1, 7, 3, False, True), (5, 2, 2, True, False), (3, 5, 2, True, False)]
EXACT = ("strip", "brute_force", "junction_tree_pgmpy", "variable_elimination_pgmpy")


def factors(shape, seed=0, scale=0.7) -> list[tuple[list[int], list[float]]]:
    """Fields and asymmetric tables, each pair of variables in an order of its own."""
    H, W, K, down, across = shape
    rng = np.random.default_rng(seed)
    at = np.arange(H * W).reshape(H, W)
    pairs = [(at[i, j], at[i, (j + 1) % W]) for i in range(H) for j in range(W) if j + 1 < W or across]
    pairs += [(at[i, j], at[(i + 1) % H, j]) for i in range(H) for j in range(W) if i + 1 < H or down]
    scopes = [[v] for v in range(H * W)]
    scopes += [[int(a), int(b)] if rng.random() < 0.5 else [int(b), int(a)] for a, b in pairs]
    return [(scope, np.exp(scale * rng.normal(size=K ** len(scope))).tolist()) for scope in scopes]


def listed(text: str, known: dict[int, int] | None = None):
    """log Z and marginals of a UAI file, labelling by labelling."""
    net: Factors = parse_uai(text)
    K, n = net.num_labels, net.num_variables
    y = np.array(list(itertools.product(range(K), repeat=n)), dtype=np.uint8)
    for v, k in (known or {}).items():
        y = y[y[:, v] == k]
    log_p = sum(np.log(table)[tuple(y[:, v] for v in scope)]
                for scope, table in zip(net.scopes, net.tables, strict=True))
    p = np.exp(log_p - log_p.max())
    log_z, p = np.log(p.sum()) + log_p.max(), p / p.sum()
    return float(log_z), np.stack([(p[:, None] * (y == k)).sum(0) for k in range(K)], -1), float(log_p.max())


def written(path, shape, seed=0, scale=0.7):
    H, W, K = shape[:3]
    kind = format_uai if path.suffix == ".uai" else format_fg
    path.write_text(kind(H * W, K, factors(shape, seed, scale)))
    return format_uai(H * W, K, factors(shape, seed, scale))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ending", [".uai", ".fg"])
def test_exact_methods_are_exact_on_tori_and_cylinders(tmp_path, shape, ending):
    path = tmp_path / f"wrapped{ending}"
    log_z, marginals, _ = listed(written(path, shape))
    model = read_grid(path)
    assert isinstance(model, Folded) and model.pixels == shape[:3] and model.wraps == shape[3:]
    for name in EXACT if ending == ".uai" and shape[:2] == (3, 3) else EXACT[:1]:
        result = drive(load.method("grid", name), model, None, Plan(1, draws=3))
        assert result.log_evidence == pytest.approx(log_z, abs=1e-9)
        assert np.allclose(result.expected["labels"].reshape(marginals.shape), marginals, atol=1e-9)
        assert result.draws["labels"].shape == (1, 3, *shape[:2]) and result.draws["labels"].max() < shape[2]


@pytest.mark.parametrize("shape", SHAPES[:4])
def test_bounds_hold_and_the_best_labelling_is_found(tmp_path, shape):
    log_z, _, most = listed(written(tmp_path / "a.uai", shape))
    model = read_grid(tmp_path / "a.uai")
    found = {name: drive(load.method("grid", name), model, None, Plan(60, draws=1))
             for name in ("mean_field", "tree_reweighted_bp", "loopy_bp", "trw_s", "integer_programming")}
    lower, upper = (found[name].log_evidence or 0.0 for name in ("mean_field", "tree_reweighted_bp"))
    assert lower <= log_z + 1e-9 <= upper + 2e-9
    assert found["loopy_bp"].log_evidence == pytest.approx(log_z, abs=0.3)  # it is no bound
    assert found["integer_programming"].final("objective") == pytest.approx(most, abs=1e-6)
    assert (found["trw_s"].final("dual_bound") or 0.0) >= most - 1e-9


@pytest.mark.slow
def test_draws_by_gibbs_have_the_marginals(tmp_path):
    """4,000 exact draws have Hoeffding's error 0.048 at 1e-7; that of 16,000 sweeps on weak couplings is below it."""
    _, marginals, _ = listed(written(tmp_path / "a.uai", SHAPES[1], scale=0.3))
    result = drive(load.method("grid", "gibbs"), read_grid(tmp_path / "a.uai"), None, Plan(4000, chains=4, warmup=100))
    drawn = result.draws["labels"].reshape(-1, 12)
    assert drawn.max() == 1
    assert abs((drawn == 1).mean(0) - marginals[:, 1]).max() < (np.log(2 * 12 / 1e-7) / (2 * 4000)) ** 0.5
    assert abs(result.expected["labels"].reshape(12, 2) - marginals).max() < 0.03


def test_known_pixels_and_beta(tmp_path):
    text = written(tmp_path / "a.uai", SHAPES[1])
    (tmp_path / "a.uai.evid").write_text("2 5 1 11 0")
    model = read_grid(tmp_path / "a.uai")
    model = model.clamped(read_evidence(tmp_path / "a.uai.evid", model))
    log_z, marginals, _ = listed(text, {5: 1, 11: 0})
    result = drive(load.method("grid", "strip"), model, None, Plan(1, draws=0))
    assert result.log_evidence == pytest.approx(log_z, abs=1e-9)
    assert np.allclose(result.expected["labels"].reshape(marginals.shape), marginals, atol=1e-9)
    cold = drive(load.method("grid", "strip"), read_grid(tmp_path / "a.uai").scaled(0.0), None, Plan(1, draws=0))
    assert cold.log_evidence == pytest.approx(12 * np.log(2))


def test_at_the_door(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = written(tmp_path / "a.uai", SHAPES[1])
    words = "--problem 1 --image a.uai --method strip --method loopy_bp --method mean_field --out out"
    assert run.guarded(words.split()) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "a: 3 x 4, wrapped, 2 labels" in said and "folded, as 2 x 2 cells of 16 labels" in said
    assert Result.load(tmp_path / "out/strip.nc").log_evidence == pytest.approx(listed(text)[0])
    assert run.guarded(["--problem", "1", "--image", "a.uai", "--export", "b.uai"]) == 2
    assert "is not written" in capsys.readouterr().err


def test_what_is_too_much_is_said(tmp_path):
    written(tmp_path / "a.uai", (3, 3, 5, True, True))
    with pytest.raises(InputError, match=r"3 x 3 pixels, wrapped, .* with 5 labels has 625: at most 256"):
        read_grid(tmp_path / "a.uai")
    written(tmp_path / "b.uai", SHAPES[0])
    with pytest.raises(InputError, match="is not written"):
        write_grid(tmp_path / "c.uai", read_grid(tmp_path / "b.uai"))


def test_where_pixels_lie():
    """The corners of a torus are one cell; the middle of odd sides lacks pixels."""
    fold = Folded(torch.zeros(2, 2, 16).double(), torch.zeros(2, 1, 16, 16).double(),
                  torch.zeros(1, 2, 16, 16).double(), 0.0, (3, 4, 2), (True, True)).fold
    assert [fold.place(i, j) for i, j in ((0, 0), (0, 3), (2, 0), (2, 3), (1, 1), (1, 2))] == [
        (0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 3), (1, 1, 0), (1, 1, 1)]
