"""`--notebook`: what it writes runs, says what the run said, and holds its results."""

import ast

import numpy as np
import pytest

import crosscheck as cc
import run
from inference.result import Result
from inference.user_file import import_file
from runs import notebook
from tests.support import ROOT

pytest.importorskip("marimo", reason="requirements-play.txt is not installed")
pytestmark = pytest.mark.usefixtures("one_thread")

MINE = '''
import pyro, pyro.distributions as dist, torch
def model(y):
    m = pyro.sample("m", dist.Normal(0., 1.))
    with pyro.plate("n", len(y)):
        pyro.sample("y", dist.Normal(m, 1.), obs=y)
def data():
    return (torch.tensor([0.5, 1.0]),)
'''
RATINGS = ("--ratings", str(ROOT / "examples/ratings.csv"))
RUNS = {
    "images": ("--problem", "1", "--image", "small", "--method", "strip", "--method", "mean_field", "--sweeps", "5"),
    "ratings": ("--problem", "2", *RATINGS, "--method", "elbo_by_hand", "--method", "coordinate_ascent",
                "--epochs", "2", "--bare"),
    "program": ("--problem", "it's \"mine\".py", "--method", "quadrature", "--method", "laplace"),
}


@pytest.mark.parametrize("name", [pytest.param("images", marks=pytest.mark.slow), "ratings", "program"])
def test_it_runs_with_the_results_of_the_run(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it's \"mine\".py").write_text(MINE)
    out = tmp_path / 'a "folder" {x}'
    assert run.guarded([*RUNS[name], "--notebook", "--out", str(out)]) == 0
    assert str(notebook.NAME) in capsys.readouterr().out
    outputs, found = import_file(out / notebook.NAME).app.run()
    saved = {str(path.relative_to(out)): Result.load(path) for path in out.rglob("*.nc")}
    assert found["results"].keys() == saved.keys() and len(saved) == 2
    for each, result in saved.items():
        for site, x in {**result.draws, **result.expected}.items():
            again = found["results"][each]
            assert np.array_equal({**again.draws, **again.expected}[site], x, equal_nan=True)
    compared = [out for out in outputs if type(out).__name__ == "Comparison"]
    assert len(compared) == 1 and len(compared[0].rows) == 2
    told = found["story"]
    if "--bare" in RUNS[name]:
        assert told.page is None
    else:
        html = told._repr_html_()
        assert told.page.take_away and html.count("<figure>") == sum(len(p.figures) for p in told.page.parts) > 0
        assert all(caption in html for p in told.page.parts for caption in [p.title])


def test_nothing_of_the_users_becomes_code(tmp_path):
    evil = tmp_path / '"); import os; os.abort(); ("'
    evil.mkdir()
    assert "<script>" not in cc.story(evil).heading("<script>alert(1)</script>")
    path = notebook.write(evil, ["--image", '"""); 1/0; ("""\n'])
    calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
    assert not any("abort" in call for call in calls)
    assert not [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.BinOp)
                and isinstance(node.op, ast.Div) and isinstance(node.left, ast.Constant)]
