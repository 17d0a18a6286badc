"""The pgmpy methods against enumeration and the strip recursion, and what they refuse."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from errors import InputError
from inference.grid import brute_force, gibbs_pgmpy, strip
from inference.grid import junction_tree_pgmpy as junction_tree
from inference.grid import variable_elimination_pgmpy as variable_elimination
from inference.grid.parts import clique_tables
from models.grid import GridMRF
from tests.support import ROOT

EXACT = pytest.mark.parametrize("method", [variable_elimination, junction_tree], ids=["elimination", "junction_tree"])


def random_grid(seed: int, shape: tuple[int, int, int], strength: float = 1.0) -> GridMRF:
    """A grid with its own table at every site and edge."""
    H, W, K = shape
    rng = torch.Generator().manual_seed(seed)
    unary, right, down = (strength * torch.randn(s, generator=rng, dtype=torch.float64)
                          for s in ((H, W, K), (H, W - 1, K, K), (H - 1, W, K, K)))
    return GridMRF(unary, right, down)


def random_image(seed: int, H: int, W: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.nn.functional.one_hot(torch.randint(2, (H, W), generator=rng), 2)


def solve(method, model, data=None):
    rng = torch.Generator().manual_seed(0)
    state, info = method.step(rng, method.init(rng, model, data), model, data)
    return method.expect(state, model)["labels"], info.log_evidence, state


@EXACT
@pytest.mark.parametrize("shape", [(1, 1, 2), (1, 6, 2), (6, 1, 3), (2, 2, 4), (2, 5, 2), (5, 2, 3), (3, 4, 2)])
@pytest.mark.parametrize("strength", [0.3, 6.0])
def test_exact_on_random_grids(method, shape, strength):
    """Enumeration; marginals to 1e-8 relative however small."""
    model = random_grid(0, shape, strength)
    marginals, log_Z, _ = solve(method, model)
    expected, expected_log_Z, _ = solve(brute_force, model)
    torch.testing.assert_close(marginals, expected, rtol=1e-8, atol=0)
    assert log_Z == pytest.approx(expected_log_Z, abs=1e-9)


@EXACT
def test_exact_with_the_image_as_data(method):
    model, image = GridMRF.potts(torch.zeros(3, 2, 2), 1.5, (1.0, 0.2)), random_image(0, 3, 2)
    marginals, log_Z, _ = solve(method, model, image)
    expected, expected_log_Z, _ = solve(brute_force, model, image)
    torch.testing.assert_close(marginals, expected, rtol=1e-10, atol=0)
    assert log_Z == pytest.approx(expected_log_Z, abs=1e-10)


@EXACT
@pytest.mark.parametrize("size, judge", [(4, brute_force), (6, strip)])
def test_exact_at_the_reference_coupling(method, size, judge):
    """Where pgmpy's junction tree as it comes is wrong, on half-and-half and on random images."""
    halves = torch.nn.functional.one_hot((torch.arange(size) >= 2).long().expand(size, size).T, 2)
    for image in (halves, random_image(1, size, size), random_image(2, size, size)):
        model = GridMRF.potts(image)
        marginals, log_Z, _ = solve(method, model)
        expected, expected_log_Z, _ = solve(judge, model)
        torch.testing.assert_close(marginals, expected, rtol=1e-8, atol=0)
        assert log_Z == pytest.approx(expected_log_Z, rel=1e-12)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_pgmpy_stops_calibrating_too_early():
    """The finding: wrong by 0.1 and more, because 1e-8 apart is equal to it. Once this fails, pgmpy is mended."""
    from pgmpy.factors.discrete import DiscreteFactor
    from pgmpy.inference import BeliefPropagation

    assert DiscreteFactor(["a"], [2], [1e-9, 1e-20]) == DiscreteFactor(["a"], [2], [1e-20, 1e-9])
    model = GridMRF.potts(random_image(1, 6, 6))
    expected = solve(strip, model)[0]
    tree = BeliefPropagation(model.to_pgmpy()[0])
    tree.calibrate()
    found = {pixel: junction_tree._onto(belief, [pixel]) / belief.values.sum()
             for belief in tree.get_clique_beliefs().values() for pixel in belief.variables}
    assert max(np.abs(found[pixel] - expected[pixel].numpy()).max() for pixel in found) > 0.1


def test_a_tree_that_stopped_early_is_refused(monkeypatch):
    monkeypatch.setattr(junction_tree, "AGREEMENT", 1e300)  # whatever has been sent is enough
    with pytest.raises(InputError, match="left neighbouring cliques"):
        solve(junction_tree, GridMRF.potts(random_image(1, 6, 6)))


def test_a_calibrated_tree_of_another_model_is_refused(monkeypatch):
    right, other = random_grid(1, (3, 3, 2)), random_grid(2, (3, 3, 2))
    calibrated = junction_tree._calibrated
    monkeypatch.setattr(junction_tree, "_calibrated", lambda model, data: calibrated(other, data))
    with pytest.raises(InputError, match="gives a labelling the log-potential"):
        solve(junction_tree, right)


@EXACT
@pytest.mark.parametrize("model, words", [
    (GridMRF.potts(torch.zeros(20, 20, 2)), r"cliques of 21 pixels: 2\^21 entries, 16 MiB each, and 400"),
    (GridMRF.potts(torch.zeros(12, 40, 3)), r"3\^13"),
    (GridMRF.potts(torch.zeros(300, 300, 5)), r"5\^301 entries, 10\^211 bytes"),
    (GridMRF.potts(torch.zeros(1, 600, 2)), "takes up to 512 pixels"),
])
def test_large_grids_are_refused_with_the_clique_size(method, model, words):
    with pytest.raises(InputError, match=words):
        method.init(torch.Generator(), model, None)


@EXACT
@pytest.mark.parametrize("strength", [200.0, 1e4])
def test_products_beyond_the_range_of_doubles_are_refused(method, strength):
    with pytest.raises(InputError, match="use the method 'strip'"):
        solve(method, random_grid(3, (3, 4, 2), strength))


@EXACT
@pytest.mark.parametrize("shape", [pytest.param((2, 3, 2), marks=pytest.mark.slow), (3, 2, 2),
                                   pytest.param((2, 2, 3), marks=pytest.mark.slow)])
def test_draws_are_joint(method, shape):
    """Chi-squared of 4,000 draws over all labellings (expected counts above 3), at 1e-7 a test."""
    model = random_grid(4, shape, 0.3)
    p = solve(brute_force, model)[2].probability
    _, _, state = solve(method, model)
    rng = torch.Generator().manual_seed(1)
    number = {tuple(y.flatten().tolist()): k for k, y in enumerate(model.configurations)}
    counts = torch.zeros_like(p)
    for _ in range(4000):
        counts[number[tuple(method.draw(rng, state, model)["labels"].flatten().tolist())]] += 1
    assert float(((counts - 4000 * p) ** 2 / (4000 * p)).sum()) < chi2.isf(1e-7, len(p) - 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["variable_elimination_pgmpy", "junction_tree_pgmpy", "gibbs_pgmpy"])
def test_bytes_do_not_depend_on_the_process(name):
    """pgmpy keeps tables in sets, and Python orders those differently in every process."""
    program = f"""
import torch
from inference.grid import {name} as method
from models.grid import GridMRF
image = torch.eye(3)[torch.arange(9) % 3].reshape(3, 3, 3)
model = GridMRF.potts(image[:2, :2] if "gibbs" in method.__name__ else image, 1.3, (0.7, 0.2))
rng = torch.Generator().manual_seed(0)
state, info = method.step(rng, method.init(rng, model, None), model, None)
for _ in range(3):
    state, info = method.step(rng, state, model, None)
    print(method.draw(rng, state, model)["labels"].tolist())
print(info, [value.tolist() for value in vars(state).values() if isinstance(value, torch.Tensor)])
"""
    root = ROOT
    printed = {subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, cwd=root,
                              check=True, capture_output=True, text=True).stdout for seed in ("1", "2", "3")}
    assert len(printed) == 1


def test_gibbs_conditionals_are_the_enumerated_ones():
    """p(y_t | others) for every pixel and every configuration of the others."""
    model = random_grid(5, (2, 2, 3))
    state = gibbs_pgmpy.init(torch.Generator().manual_seed(0), model, None)
    p = torch.softmax(model.log_joint({"labels": model.configurations}), 0).reshape(3, 3, 3, 3)
    for t in range(4):
        expected = (p / p.sum(t, keepdim=True)).movedim(t, -1).reshape(27, 3)
        torch.testing.assert_close(state.conditionals[t], expected, rtol=1e-12, atol=0)


@pytest.mark.slow
def test_gibbs_sweep_has_the_transition_of_the_enumerated_conditionals():
    """3,000 sweeps from one labelling, and data that come with the step; chi-squared over 16 labellings at 1e-7."""
    model, image = GridMRF.potts(torch.zeros(2, 2, 2), 0.6, (0.4, -0.2)), random_image(3, 2, 2)
    rng = torch.Generator().manual_seed(0)
    y = torch.tensor([[0, 1], [1, 0]])
    start = gibbs_pgmpy.start(rng, model, None, {"labels": y})
    p = torch.softmax(model.log_joint({"labels": model.configurations}, image), 0).reshape(2, 2, 2, 2)
    row = torch.zeros(2, 2, 2, 2, dtype=torch.float64)
    row[tuple(y.flatten().tolist())] = 1
    for t in range(4):
        row = row.sum(t, keepdim=True) * p / p.sum(t, keepdim=True)
    counts = torch.zeros(2, 2, 2, 2, dtype=torch.float64)
    state = gibbs_pgmpy.step(rng, start, model, image)[0]
    for _ in range(3000):
        after, _ = gibbs_pgmpy.step(rng, gibbs_pgmpy.replace(state, labels=y), model, image)
        counts[tuple(after.labels.flatten().tolist())] += 1
    assert float(((counts - 3000 * row) ** 2 / (3000 * row)).sum()) < chi2.isf(1e-7, 15)


@pytest.mark.parametrize("model, words", [
    (GridMRF.potts(torch.zeros(4, 4, 2)), "every configuration of the others: 16 x 2\\^15 on this 4 x 4 grid"),
    (GridMRF.potts(torch.zeros(640, 640, 2)), "use the method 'gibbs'"),
    (random_grid(3, (2, 3, 2), 1e4), "use the method 'gibbs'"),
])
def test_gibbs_refuses_what_it_cannot_do(model, words):
    with pytest.raises(InputError, match=words):
        gibbs_pgmpy.init(torch.Generator(), model, None)


def test_importing_the_methods_imports_no_pgmpy():
    """It takes seconds, which `--list` and every other method should not pay."""
    for method in (variable_elimination, junction_tree, gibbs_pgmpy, clique_tables):
        source = Path(importlib.import_module(method.__name__).__file__ or "").read_text()
        assert not any(line.startswith(("import pgmpy", "from pgmpy")) for line in source.splitlines())
