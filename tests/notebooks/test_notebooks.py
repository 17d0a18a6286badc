"""The notebooks run as they stand, what their sentences claim is so, and their Jupyter twins open and run."""

import ast
import os
import subprocess
import sys

import numpy as np
import pytest

from inference.user_file import import_file
from tests.support import ROOT

pytest.importorskip("marimo", reason="requirements-play.txt is not installed")

FOLDER = ROOT / "notebooks"
NAMES = [path.stem for path in sorted(FOLDER.glob("*.py"))]


def problem1(d):
    """The reference's printed numbers (CS281, assignment 4), and who errs where."""
    printed = [5.79905571e-12, 1.95516261e-15, 5.79905571e-12, 1.51930154e-08, 6.56942344e-12, 1.51930154e-08,
               9.97476218e-01, 9.97515359e-01, 9.97476218e-01]
    assert np.allclose(d["p_one"].flatten(), printed, rtol=1e-8, atol=0)
    assert abs(d["exact"][1].log_evidence - 186.00257856088436) < 1e-9
    assert np.allclose(d["mean_field"].expected["labels"][2, :, 0], [4.53978687e-05, 1.52521207e-08, 4.53978687e-05])
    errors = {name: [point[0] for point in line.values()] for name, line in d["errors"].items()}
    assert all(a > 10 * b for a, b in zip(errors["mean_field"], errors["loopy_bp"], strict=True))
    assert 0 < int(np.argmax(errors["loopy_bp"])) < len(d["betas"]) - 1
    assert set(d["ones"]["strong"].std(1)) == {0.0} and len({*d["ones"]["strong"].mean(1).round()}) == 2


def problem2(d):
    """Mean field's spread is too small, and it switches factors off; the chain's holds the truth."""
    bounds = [fit.trace["elbo"][0, -1] for fit in d["fits"]]
    assert bounds == sorted(bounds, reverse=True)
    assert d["held"]["coordinate_ascent"] < 0.82 and 0.85 < d["held"]["row_gibbs"] < 0.99
    ratio = d["fits"][0].expected["test_spread"] / d["chains"].expected["test_spread"]
    assert 0.6 < np.median(ratio) < 0.75
    assert (abs(d["by_rank"][5][0].expected["U_mean"]).max(0) < 1e-3).any()
    assert d["nll"]["coordinate_ascent"]["5"][0] < d["nll"]["row_gibbs"]["5"][0]


def problem3(d):
    """The formula's gradient is zero; the average of draws is better than a draw; who overfits."""
    assert d["gradient"].abs().max() < 1e-12 and (d["precision"] + d["hessian"]).abs().max() < 1e-12
    last = d["chain"].trace["test_nll_last"][:, 120:]
    assert (d["chain"].trace["test_nll"][:, -1] < last.min()).all()
    test = [{K: float(r.expected["test_nll"]) for (_, K), r in d[name].items()} for name in ("gibbs", "point")]
    train = [float(d["point"][1.0, K].expected["train_nll"]) for K in d["ranks"]]
    assert test[1][6] > test[1][2] + 1 and train == sorted(train, reverse=True) and test[0][6] < test[0][2] + 0.1


def own_model(d):
    """Both bounds lie below the exact evidence, the tilted guide's nearer; the kernels are judged as they are."""
    laplace, normal, tilted = (r.log_evidence for r in d["approximate"])
    assert normal < tilted < d["mine"].log_evidence < d["exact"].log_evidence
    assert d["told"](d["exact"].name)["correlation"] > 0.2 and abs(d["told"]("guide_normal_pyro")["correlation"]) < 0.3
    assert [v.outcome.name for v in d["verdicts"]] == ["RIGHT", "WRONG"]


def check(d):
    """The verdicts, and the same by hand: a right kernel's |z| exceeds 5 with probability 6e-7."""
    assert [d[name].outcome.name for name in ("passed", "failed", "stale")] == ["RIGHT", "WRONG", "WRONG"]
    assert abs(d["by_hand"]["right"]) < 5 and d["by_hand"]["wrong"] < -5
    assert "log joint" in str(d["failed"].findings[0]) and "too small" in str(d["failed"].findings[0])


CLAIMS = {f.__name__: f for f in (problem1, problem2, problem3, own_model, check)}


def test_every_notebook_has_its_claims_tested():
    assert sorted(CLAIMS) == NAMES


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_what_it_says_is_so(name, monkeypatch):
    """Verdicts after one look, of 500 replicates."""
    monkeypatch.setattr("checks.kernels.judge.LOOKS", (500,))
    outputs, found = import_file(FOLDER / f"{name}.py").app.run()
    CLAIMS[name](found)
    assert sum("<details>" in getattr(out, "text", "") for out in outputs) == 1  # the exercises, answers hidden


@pytest.mark.parametrize("name", NAMES)
def test_code_comes_from_the_library(name):
    """Imported by its one door, never copied."""
    imported = {str(module) for node in ast.walk(ast.parse((FOLDER / f"{name}.py").read_text()))
                for module in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else
                               [node.module] if isinstance(node, ast.ImportFrom) else [])}
    assert "crosscheck" in imported and imported <= {"crosscheck", "marimo", "numpy", "torch", "pyro", "itertools",
                                                     "pyro.distributions", "dataclasses"}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_its_jupyter_twin_is_valid_and_runs(name, tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="requirements-play.txt is not installed")
    from IPython.core.interactiveshell import InteractiveShell

    there = tmp_path / f"{name}.ipynb"
    subprocess.run([sys.executable, "-m", "marimo", "export", "ipynb", str(FOLDER / f"{name}.py"), "-o", str(there)],
                   check=True, capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    book = nbformat.read(there, as_version=4)
    nbformat.validate(book)
    shell = InteractiveShell()
    for cell in book.cells:
        if cell.cell_type == "code":
            shell.run_cell(cell.source).raise_error()
    assert sum(cell.cell_type == "markdown" for cell in book.cells) >= 5
    CLAIMS[name](shell.user_ns)
