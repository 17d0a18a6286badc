"""Roof duality: what it proves, against listing all labellings; and its bound, against the linear program's optimum."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from errors import InputError
from inference.grid import min_cut, roof_duality
from models.grid import GridMRF
from tests.inference.grid.test_most_probable import attractive, best, run
from tests.support.mixed_grids import mixed, one_thread  # noqa: F401

SHAPES = [(3, 3), (3, 4), (2, 3), (1, 6), (4, 1), (2, 5)]


def some(seed: int, fields: float, whole: bool = False) -> GridMRF:
    """Couplings of both signs; `whole` ones make ties."""
    model = mixed(*SHAPES[seed % len(SHAPES)], 2, seed=seed)
    model = GridMRF(fields * model.unary, model.right, model.down)
    return model._map(torch.round) if whole else model


@pytest.mark.parametrize("whole", [False, True])
def test_every_proved_label_is_that_of_every_best_labelling(whole):
    shares = []
    for seed in range(150):
        model = some(seed, (0.2, 0.6, 2.0)[seed % 3], whole)
        state, infos = run("roof_duality", model, 20)
        log_p = model.log_joint({"labels": model.configurations})
        at_best = model.configurations[log_p >= log_p.max() - 1e-9]
        assert (at_best[:, state.proved] == state.labels[state.proved]).all()
        assert infos[-1].proved == pytest.approx(float(state.proved.double().mean()))
        assert infos[-1].objective <= float(log_p.max()) + 1e-9 and infos[-1].dual_bound >= float(log_p.max()) - 1e-9
        if state.proved.all():
            assert len(at_best) == 1 and infos[-1].objective == pytest.approx(float(log_p.max()))
        shares.append(float(state.proved.double().mean()))
    assert min(shares) == 0 and max(shares) == 1 and any(0 < share < 1 for share in shares)


def local_polytope(model: GridMRF) -> float:
    """The optimum over marginals of pixels and edges that agree, by HiGHS."""
    H, W, K = model.shape
    at = np.arange(H * W * K).reshape(H, W, K)
    edges = [(at[i, j], at[i, j + 1], model.right[i, j]) for i in range(H) for j in range(W - 1)]
    edges += [(at[i, j], at[i + 1, j], model.down[i, j]) for i in range(H - 1) for j in range(W)]
    n = at.size + len(edges) * K * K
    gain, rows, equal = np.zeros(n), [], []
    gain[: at.size] = model.unary.flatten()
    for pixel in at.reshape(-1, K):
        rows.append(np.isin(np.arange(n), pixel).astype(float))
        equal.append(1.0)
    for e, (s, t, table) in enumerate(edges):
        own = at.size + e * K * K + np.arange(K * K).reshape(K, K)
        gain[own] = table
        for pixel, sums in ((s, own), (t, own.T)):
            for k in range(K):
                row = np.zeros(n)
                row[sums[k]], row[pixel[k]] = 1.0, -1.0
                rows.append(row)
                equal.append(0.0)
    return float(-linprog(-gain, A_eq=np.array(rows), b_eq=equal, bounds=(0, 1)).fun)


def test_the_bound_is_the_linear_programs_optimum():
    for seed in range(18):
        model = some(seed, 0.4)
        assert run("roof_duality", model, 1)[1][-1].dual_bound == pytest.approx(local_polytope(model), abs=1e-6)


def test_where_equal_labels_are_favoured_it_is_the_minimum_cut():
    for seed in range(20):
        model = attractive(*SHAPES[seed % len(SHAPES)], 2, seed=seed)
        state, infos = run("roof_duality", model, 5)
        cut, _ = min_cut.step(torch.Generator(), min_cut.init(torch.Generator(), model, None), model, None)
        assert state.proved.all() and state.labels.equal(cut.labels) and infos[-1].converged
    tied = attractive(3, 3, 2)._map(torch.zeros_like)
    state, infos = run("roof_duality", tied, 5)
    assert not state.proved.any() and infos[-1].objective == best(tied)


def test_a_gauge_that_makes_it_attractive_is_found():
    """Flip the labels of every other pixel of an attractive grid: still all is proved, and the answer is flipped."""
    model = attractive(9, 12, 2, seed=5)
    odd = (torch.arange(9)[:, None] + torch.arange(12)) % 2 == 1
    flipped = GridMRF(torch.where(odd[..., None], model.unary.flip(-1), model.unary), model.right.clone(),
                      model.down.clone())
    for table, near in ((flipped.right, odd[:, :-1]), (flipped.down, odd[:-1])):
        table.copy_(torch.where(near[..., None, None], table.flip(-2), table.flip(-1)))
    with pytest.raises(InputError, match="favours unequal ones"):
        min_cut.init(torch.Generator(), flipped, None)
    state, infos = run("roof_duality", flipped, 5)
    cut, _ = min_cut.step(torch.Generator(), min_cut.init(torch.Generator(), model, None), model, None)
    assert state.proved.all() and state.labels.bool().equal(cut.labels.bool() ^ odd)


def test_more_labels_are_refused():
    with pytest.raises(InputError, match="two labels, and this grid has 3: use the method 'trw_s'"):
        roof_duality.init(torch.Generator(), mixed(2, 2, 3), None)
