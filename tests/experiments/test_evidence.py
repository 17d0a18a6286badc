"""Problem 1 with pixels known for certain, log-potentials of one's own, and grids with others' answers."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

import run
from data.grid_files import read_grid, read_marginals
from data.grid_written import write_grid, write_marginals
from inference.result import Result
from models.grid import GridMRF
from tests.support.mixed_grids import mixed

KNOWN = np.array([[1, -1, -1], [-1, -1, -1], [-1, 0, -1]])
FIELD = np.random.default_rng(2).normal(size=(3, 3, 2))
pytestmark = pytest.mark.usefixtures("one_thread", "undrawn")


def enumerated(model: GridMRF) -> np.ndarray:
    """Marginals (H, W, K) by every labelling."""
    p = torch.softmax(model.log_joint({"labels": model.configurations}), 0)
    return (p[:, None, None, None] * torch.nn.functional.one_hot(model.configurations)).sum(0).numpy()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("known.npy", KNOWN)
    np.save("field.npy", FIELD)
    write_grid("grid.uai", mixed(3, 3, 2))
    Path("grid.uai.evid").write_text("2 0 1 7 0")


def done(words: str, name: str = "strip") -> Result:
    assert run.guarded(["--problem", "1", "--out", "out", *words.split()]) == 0
    return Result.load(Path("out", f"{name}.nc"))


def test_pixels_that_are_known_for_certain(capsys):
    """Every method that runs gives them probability 1, and exact ones the rest as enumeration does."""
    found = done("--image grid.uai --clamp grid.uai.evid --method strip --method brute_force --method loopy_bp "
                 "--method mean_field --method gibbs --method tree_reweighted_bp --sweeps 200")
    assert "2 of 9 pixels (22.2%) are known for certain." in capsys.readouterr().out
    exact = enumerated(mixed(3, 3, 2).clamped(torch.from_numpy(KNOWN)))
    assert found.expected["labels"] == pytest.approx(exact, abs=1e-12)
    for path in Path("out").glob("*.nc"):
        marginals = Result.load(path).expected["labels"]
        assert marginals[[0, 2], [0, 1]] == pytest.approx(np.array([[0, 1], [1, 0]]), abs=1e-14)


def test_evidence_beside_a_grid_is_not_forgotten_in_silence(capsys):
    done("--image grid.uai --method strip")
    assert "grid.uai.evid beside it is not used; --clamp grid.uai.evid does." in capsys.readouterr().out


def test_log_potentials_of_ones_own():
    found = done("--unary field.npy --coupling 0.7,-0.2 --clamp known.npy --beta 1.5 --method strip")
    pair = torch.tensor([[0.7, -0.2], [-0.2, 0.7]], dtype=torch.float64)
    model = GridMRF(torch.from_numpy(FIELD), pair.expand(3, 2, 2, 2), pair.expand(2, 3, 2, 2)).scaled(1.5)
    exact = enumerated(model.clamped(torch.from_numpy(KNOWN)))
    assert found.expected["labels"] == pytest.approx(exact, abs=1e-12)


def test_conformance_to_answers_of_others(capsys):
    """Two grids, one of them packed and with evidence; a third whose marginals are of another size is left out, and a
    fourth that no labelling is possible on costs the others nothing."""
    Path("others").mkdir()
    Path("others/first.uai.gz").write_bytes(gzip.compress(Path("grid.uai").read_bytes()))
    Path("others/first.uai.evid").write_text("2 0 1 7 0")
    write_marginals("others/first.uai.MAR", enumerated(mixed(3, 3, 2).clamped(torch.from_numpy(KNOWN))))
    for name, answers in (("second", enumerated(mixed(3, 3, 2))), ("third", FIELD[:2] * 0 + 0.5)):
        write_grid(f"others/{name}.uai", mixed(3, 3, 2))
        write_marginals(f"others/{name}.uai.MAR", answers)
    wants, equal = torch.tensor([[[0.0, -np.inf], [-np.inf, 0.0]]]), torch.tensor([[0.0, -np.inf], [-np.inf, 0.0]])
    none = torch.zeros(0, 2, 2, 2, dtype=torch.float64)
    write_grid("others/fourth.uai", GridMRF(wants.double(), equal[None, None].double(), none))
    write_marginals("others/fourth.uai.MAR", np.full((1, 2, 2), 0.5))
    words = "--problem 1 --conformance others --method strip --method mean_field --out out"
    assert run.guarded(words.split()) == 0
    said = capsys.readouterr().out
    assert "third.uai was left out" in said and "has 6 x 2 probabilities, the grid 9 x 2" in said
    assert "fourth: strip was left out: " in said and "Z = 0" in said
    line = next(line.split() for line in said.splitlines() if line.startswith("strip"))
    assert line[2] == "2" and float(line[3]) < 1e-12
    line = next(line.split() for line in said.splitlines() if line.startswith("mean_field"))
    models = {"first": mixed(3, 3, 2).clamped(torch.from_numpy(KNOWN)), "second": mixed(3, 3, 2)}
    errors = [np.abs(Result.load(Path("out", name, "mean_field.nc")).expected["labels"] - enumerated(model)).max()
              for name, model in models.items()]
    assert float(line[3]) == pytest.approx(max(errors), rel=0.01) and line[4] == ("first", "second")[np.argmax(errors)]


def test_export_of_the_model_and_its_marginals(capsys):
    for name in ("a.uai", "a.fg", "a.MAR"):
        assert run.guarded(f"--problem 1 --unary field.npy --coupling 1,0 --export {name}".split()) == 0
    exact = enumerated(read_grid("a.fg"))
    assert exact == pytest.approx(enumerated(read_grid("a.uai")), abs=1e-12)
    assert read_marginals("a.MAR").numpy() == pytest.approx(exact.reshape(9, 2), abs=1e-12)
    assert "field's marginals by strip are in a.MAR" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "why"), [
    ("--clamp known.npy", "--clamp goes with --image FILE"),
    ("--image small --unary field.npy", "give one of --image and --unary"),
    ("--unary field.npy --evidence 3", "--evidence would change nothing: field.npy says it of every pixel"),
    ("--unary known.npy", "log-potentials are (H, W, K) numbers"),
    ("--unary field.npy --clamp field.npy", "indicators must be 0 or 1"),
    ("--conformance nowhere", "--conformance nowhere is not a folder"),
    ("--conformance .", "--conformance . holds no grid with marginals beside it"),
    ("--conformance . --beta 2", "--beta would change nothing: the files of . are the models"),
    ("--image small --clamp known.npy --export a.png", "--clamp would change nothing: an image holds"),
    ("--image small --export a.txt", "end its name in .npy or .png (the image), .uai or .fg (the model) or .MAR"),
])
def test_what_cannot_be_is_said(words, why, capsys):
    method = [] if "--export" in words else ["--method", "mean_field", "--out", "out"]
    assert run.guarded(["--problem", "1", *method, *words.split()]) == 2
    assert why in capsys.readouterr().err and not Path("out").exists()


def test_a_file_whose_potentials_cannot_be_is_named_with_the_place(capsys):
    """A nan; and a pixel that is known to have the label which the potentials make impossible."""
    field, known = np.zeros((2, 3, 2)), np.full((2, 3), -1)
    field[0, 1, 0], known[0, 1] = -np.inf, 0
    np.save("forbids.npy", field)
    np.save("wants.npy", known)
    field[1, 2, 0] = np.nan
    np.save("nan.npy", field)
    for words, why in (("nan.npy", "nan.npy: the grid's 'unary' log-potentials must be finite, or -inf where something "
                        "is impossible; 1 of them are not, the first at row 1, column 2"),
                       ("forbids.npy --clamp wants.npy", "wants.npy: no labelling is possible (Z = 0)")):
        assert run.guarded(f"--problem 1 --method mean_field --out out --unary {words}".split()) == 2
        assert why in capsys.readouterr().err and not Path("out").exists()
