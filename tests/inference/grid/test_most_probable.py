"""The methods that look for the most probable labelling, against listing all labellings."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from errors import InputError
from inference import load
from inference.grid import alpha_expansion, max_product, min_cut, strip, trw_s
from inference.grid import iterated_conditional_modes as icm
from inference.grid import simulated_annealing as annealing
from inference.grid.parts import graph_cut, scans
from models.grid import GridMRF
from tests.support.mixed_grids import mixed, one_thread  # noqa: F401

LADDER = ("iterated_conditional_modes", "simulated_annealing", "max_product", "min_cut", "roof_duality",
          "alpha_expansion", "trw_s")
SHAPES = [(2, 2, 2), (3, 3, 2), (3, 4, 2), (2, 3, 3), (1, 5, 3), (4, 1, 2)]


def attractive(H, W, K, scale=1.0, seed=0, gauge=False) -> GridMRF:
    """Equal labels are favoured on every edge; `gauge` adds terms of one pixel to the tables."""
    rng = torch.Generator().manual_seed(seed)

    def some(*shape):
        return scale * torch.randn(*shape, generator=rng, dtype=torch.float64)

    right, down = (w.abs() * torch.eye(K, dtype=torch.float64) for w in (some(H, W - 1, 1, 1), some(H - 1, W, 1, 1)))
    if gauge:
        right = right + some(H, W - 1, K, 1) + some(H, W - 1, 1, K)
        down = down + some(H - 1, W, K, 1) + some(H - 1, W, 1, K)
    return GridMRF(some(H, W, K), right, down)


def run(name, model, sweeps, seed=0, **options):
    method, rng = load.method("grid", name), torch.Generator().manual_seed(seed)
    state, infos = method.init(rng, model, None, **options), []
    for _ in range(sweeps):
        state, info = method.step(rng, state, model, None)
        infos.append(info)
        if info.residual == 0:
            break
    return state, infos


def best(model) -> float:
    return float(model.log_joint({"labels": model.configurations}).max())


def log_p(model, labels: Tensor) -> float:
    return float(model.log_joint({"labels": labels}))


@pytest.mark.parametrize("name", LADDER)
def test_what_it_says_of_its_labelling_is_so_and_never_falls(name):
    for seed, shape in enumerate(SHAPES):
        two = name in ("min_cut", "roof_duality")
        model = attractive(*shape[:2], 2, seed=seed) if two else attractive(*shape, seed=seed)
        state, infos = run(name, model, 12)
        assert infos[-1].objective == pytest.approx(log_p(model, state.labels), abs=1e-11)
        assert all(b.objective >= a.objective for a, b in itertools.pairwise(infos))
        assert infos[-1].objective <= best(model) + 1e-11
        assert load.method("grid", name).module.expect(state, model)["labels"].argmax(-1).equal(state.labels.long())


def test_no_pixel_alone_improves_iterated_conditional_modes():
    for seed in range(20):
        model = mixed(3, 4, 3, seed=seed)
        state, infos = run("iterated_conditional_modes", model, 50)
        assert infos[-1].converged
        for i, j, k in itertools.product(range(3), range(4), range(3)):
            other = state.labels.clone()
            other[i, j] = k
            assert log_p(model, other) <= infos[-1].objective + 1e-12


def test_a_pixel_keeps_its_label_where_another_is_as_good():
    model = GridMRF(torch.zeros(3, 3, 2).double(), torch.zeros(3, 2, 2, 2).double(), torch.zeros(2, 3, 2, 2).double())
    state = icm.State(torch.tensor([[0, 1, 0], [1, 1, 0], [0, 1, 1]], dtype=torch.uint8), 0.0)
    after, info = icm.step(torch.Generator(), state, model, None)
    assert after.labels.equal(state.labels) and info.converged


def test_annealing_finds_the_best_of_a_small_grid_and_its_engines_agree():
    for seed in range(4):
        model = mixed(3, 3, 2, seed=seed)
        a, infos = run("simulated_annealing", model, 300, cooling=0.98)
        b, _ = run("simulated_annealing", model, 300, cooling=0.98, engine="torch")
        assert infos[-1].objective == pytest.approx(best(model)) and a.chain.equal(b.chain)


@pytest.mark.slow
def test_at_temperature_one_annealing_is_gibbs_sampling():
    """Hoeffding at 1e-6 over the labels of one pixel, ten sweeps counting as one free draw."""
    model, rng, n = mixed(2, 2, 2, 0.5), torch.Generator().manual_seed(0), 6000
    y, ones = torch.zeros(2, 2, dtype=torch.uint8), torch.zeros(2, 2)
    for _ in range(n):
        y = annealing.sweep(y, model.unary, model, 1.0, torch.rand(2, 2, generator=rng, dtype=torch.float64), "torch")
        ones += y
    p = torch.softmax(model.log_joint({"labels": model.configurations}), 0)
    exact = (p[:, None, None] * model.configurations).sum(0)
    assert (ones / n - exact).abs().max() < math.sqrt(math.log(2 * 4 / 1e-6) / (2 * n / 10))


@pytest.mark.parametrize("shape", [(1, 7, 3), (6, 1, 2)])
def test_max_product_is_exact_on_chains_ties_or_not(shape):
    for seed in range(10):
        model = mixed(shape[0], shape[1], shape[2], seed=seed)
        _, infos = run("max_product", model, 1)
        assert infos[-1].objective == pytest.approx(best(model), abs=1e-11)
    H, W, K = shape
    tied = GridMRF(torch.zeros(H, W, K).double(), (1 - torch.eye(K)).double().expand(H, W - 1, K, K),
                   (1 - torch.eye(K)).double().expand(H - 1, W, K, K))  # neighbours differ: many are best
    _, infos = run("max_product", tied, 1)
    assert infos[-1].objective == H * W - 1


def test_decoding_by_hand():
    model, rng = mixed(3, 4, 3), torch.Generator().manual_seed(0)
    messages = torch.randn(4, 3, 4, 3, generator=rng, dtype=torch.float64)
    grid = scans.Weighted.of(model, None, torch.ones(3, 3).double(), torch.ones(2, 4).double())
    found = max_product.decoded(messages, grid)
    for i, j in itertools.product(range(3), range(4)):
        value = model.unary[i, j] + messages[1, i, j] + messages[3, i, j]
        value = value + (model.right[i, j - 1, found[i, j - 1]] if j else 0) + (
            model.down[i - 1, j, found[i - 1, j]] if i else 0)
        assert int(value.argmax()) == int(found[i, j])


@pytest.mark.parametrize("gauge", [False, True])
def test_a_minimum_cut_is_the_best_labelling(gauge):
    for seed in range(40):
        H, W, _ = SHAPES[seed % len(SHAPES)]
        model = attractive(H, W, 2, (0.1, 1.0, 30.0)[seed % 3], seed, gauge)
        _, (info,) = run("min_cut", model, 1)
        assert info.objective == pytest.approx(best(model), abs=1e-6) and info.dual_bound >= best(model) - 1e-11
        assert info.dual_bound - info.objective < 1e-6 * max(1.0, abs(best(model)))


def test_the_slack_is_what_rounding_changed():
    """With capacities that are multiples of a power of 2 nothing; a large one takes the digits of the others."""
    u = torch.tensor([[3.0, -2.0, 0.5]]).double().numpy()
    right, down = torch.tensor([[1.25, 0.75]]).double().numpy(), torch.zeros(0, 3).double().numpy()
    assert graph_cut.cut(u, right, down)[1] == 0.0
    _, slack = graph_cut.cut(np.array([[3.0, -2.0, 1e12]]), right + 0.3, down)
    assert 2.0 < slack < 1e4  # units of about 1,000 nats


def test_min_cut_says_which_edge_is_not_submodular():
    model = attractive(3, 4, 2)
    model.down[1, 2] = torch.tensor([[0.0, 1.0], [0.5, 0.0]])
    with pytest.raises(InputError, match=r"edge 'down' of row 1, column 2 favours unequal ones by 1.5 nats: .*'trw_s'"):
        min_cut.init(torch.Generator(), model, None)
    with pytest.raises(InputError, match="for two labels, and this grid has 3"):
        min_cut.init(torch.Generator(), attractive(2, 2, 3), None)


def test_no_expansion_improves_alpha_expansion():
    """All sets of pixels that could take one label, listed; and it is within a factor 2 of the least energy."""
    for seed in range(12):
        model = attractive(3, 3, 3, seed=seed)
        state, infos = run("alpha_expansion", model, 20)
        assert infos[-1].converged
        keep = torch.tensor(list(itertools.product([False, True], repeat=9))).reshape(-1, 3, 3)
        for label in range(3):
            moves = torch.where(keep, state.labels.long(), label)
            assert float(model.log_joint({"labels": moves}).max()) <= infos[-1].objective + 1e-6
        most = float(model.unary.amax(-1).sum() + model.right.amax((-2, -1)).sum() + model.down.amax((-2, -1)).sum())
        assert most - infos[-1].objective <= 2 * (most - best(model)) + 1e-6


def test_alpha_expansion_of_two_labels_is_the_best():
    for seed in range(10):
        model = attractive(3, 4, 2, seed=seed)
        assert run("alpha_expansion", model, 5)[1][-1].objective == pytest.approx(best(model), abs=1e-6)


def test_alpha_expansion_names_the_labels_that_make_no_metric():
    model = GridMRF.potts(torch.nn.functional.one_hot(torch.zeros(2, 2, dtype=torch.long), 3), 1.0, (4.0, 3.0))
    with pytest.raises(InputError, match="the coupling is none: labels 0 and 2 are farther apart than by way of 1, by "
                                         "2 nats"):
        alpha_expansion.init(torch.Generator(), model, None)
    with pytest.raises(InputError, match=r"the edge '\w+' of row \d, column \d is none"):
        alpha_expansion.init(torch.Generator(), mixed(2, 3, 3), None)
    alpha_expansion.init(torch.Generator(), GridMRF.potts(torch.nn.functional.one_hot(torch.zeros(
        2, 2, dtype=torch.long), 3)), None)  # (10, 2, 0): energies 0, 8, 10


@pytest.mark.parametrize("make", [attractive, mixed])
def test_no_labelling_exceeds_the_bound_of_trw_s(make):
    for seed in range(60):
        model = make(*SHAPES[seed % len(SHAPES)], (0.1, 1.0, 30.0)[seed % 3], seed)
        _, infos = run("trw_s", model, 15)
        for info in infos:
            assert info.dual_bound >= best(model) - 1e-11 * max(1.0, abs(best(model)))
        assert all(b.dual_bound <= a.dual_bound for a, b in itertools.pairwise(infos))


def test_any_messages_give_a_bound():
    model, rng = mixed(3, 3, 2), torch.Generator().manual_seed(0)
    messages = 5 * torch.randn(4, 3, 3, 2, generator=rng, dtype=torch.float64)
    messages[0, :, 0] = messages[1, :, -1] = messages[2, 0] = messages[3, -1] = 0
    grid = scans.Weighted.of(model, None, torch.ones(3, 2).double(), torch.ones(2, 3).double())
    assert trw_s.dual_bound(messages, grid) > best(model)


def test_trw_s_meets_its_bound_on_chains_and_with_two_labels_that_attract():
    for seed in range(10):
        for model, sweeps in ((mixed(1, 6, 3, seed=seed), 3), (mixed(6, 1, 2, seed=seed), 3),
                              (attractive(3, 4, 2, seed=seed), 300)):
            _, infos = run("trw_s", model, sweeps)
            assert infos[-1].converged and infos[-1].objective == pytest.approx(best(model), abs=1e-9)


def test_on_a_larger_grid_all_that_are_exact_agree_with_the_strip():
    model = attractive(9, 12, 2, seed=5)
    exact = log_p(model, strip.map_estimate(model))
    for name in ("min_cut", "alpha_expansion", "trw_s"):
        assert run(name, model, 300)[1][-1].objective == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("name, options, says", [
    ("simulated_annealing", {"start": 0.0}, "temperature above 0"),
    ("simulated_annealing", {"cooling": 1.0}, "not 1.0"),
    ("max_product", {"damping": 1.0}, "below 1, not 1.0")])
def test_bad_options_are_refused(name, options, says):
    with pytest.raises(InputError, match=says):
        run(name, attractive(2, 2, 2), 1, **options)
