"""The parts of the kernels on grids: closed forms, readable against compiled, what they refuse."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from errors import InputError
from inference import load
from inference.grid import metropolised_gibbs, parallel_tempering, row_block_gibbs, strip, swendsen_wang
from inference.job import generator
from models.grid import GridMRF
from tests.support.mixed_grids import mixed, one_thread  # noqa: F401

SHAPES = [(2, 3, 2), (2, 2, 3)]


def test_metropolised_gibbs_is_lius():
    """Propose among the other labels, accept by the ratio of what the others hold; at least as ready as Gibbs."""
    pi = torch.rand(50, 4, dtype=torch.float64, generator=generator(0, "liu", "cpu"))
    pi /= pi.sum(-1, keepdim=True)
    for k in range(4):
        own = pi[:, k, None]
        liu = pi / (1 - own) * ((1 - own) / (1 - pi)).clamp(max=1)
        liu[:, k] = 0
        at_k = torch.full((50,), k)
        others = torch.arange(4) != k
        assert torch.allclose(metropolised_gibbs.transition_probability(pi, at_k, 0.0), liu, rtol=1e-12)
        assert bool((metropolised_gibbs.transition_probability(pi, at_k, 0.3) > pi)[:, others].all())
    assert torch.equal(metropolised_gibbs.transition_probability(torch.full((1, 2), 0.5), torch.tensor([0]), 0.0),
                       torch.tensor([[0.0, 1.0]]))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_swendsen_wang_splits_every_factor(shape):
    """Field + log((1 - e^-delta) [k = l] + exp rest) is log p~; two labels leave D symmetric, so rest is too."""
    model = mixed(*shape)
    y = {"labels": model.configurations}
    same = torch.eye(shape[2], dtype=torch.float64)
    effects, *rests = swendsen_wang.split(model)
    whole = [torch.log(-torch.expm1(r[..., :1, :1]) * same + r.exp()) for r in rests]
    again = GridMRF(model.unary + effects, whole[0], whole[1])
    assert torch.allclose(again.log_joint(y), model.log_joint(y), atol=1e-12)
    for rest in rests:
        assert bool((rest.diagonal(dim1=-2, dim2=-1) <= 0).all())
        assert shape[2] > 2 or torch.allclose(rest, rest.mT, atol=1e-13)


def test_swendsen_wang_bonds_of_potts():
    """Closed form for the coupling (a, b): 1 - e^(b - a); and none where unequal neighbours are preferred."""
    labels = torch.tensor([[0, 0, 2], [0, 1, 2]])
    for a, b in ((1.2, 0.5), (2.0, 0.0), (0.3, 0.7)):
        model = GridMRF.potts(torch.zeros(2, 3, 3), 0.0, (a, b))
        _, right, down = swendsen_wang.split(model)
        beside, below = swendsen_wang.bond_probability(labels, right, down)
        chance = max(0.0, 1 - math.exp(b - a))
        assert torch.allclose(beside, chance * torch.tensor([[1.0, 0], [0, 0]], dtype=torch.float64), atol=1e-15)
        assert torch.allclose(below, chance * torch.tensor([[1.0, 0, 1]], dtype=torch.float64), atol=1e-15)


CASES = [mixed(2, 3, 2), mixed(5, 7, 4, 0.5), mixed(1, 6, 3), mixed(6, 1, 3), mixed(1, 1, 2), mixed(4, 5, 3, 1e4),
         GridMRF.potts(torch.nn.functional.one_hot(torch.arange(30).reshape(5, 6) % 3, 3), 1.0, (0.9, 0.4))]
ENGINES = [(name, options) for name, options in
           (("metropolised_gibbs", {"gibbs": 0.25}), ("row_block_gibbs", {"lines": "both"}),
            ("row_block_gibbs", {"lines": "columns"}), ("swendsen_wang", {}), ("parallel_tempering", {"copies": 3}))]


@pytest.mark.parametrize("case", range(len(CASES)))
@pytest.mark.parametrize("name, options", ENGINES, ids=str)
def test_engines_agree(name, options, case):
    """The readable version and the compiled one, from the same uniform numbers; potentials of 1e4 nats too."""
    model, kernel, ends = CASES[case], load.method("grid", name), []
    for engine in ("torch", "compiled"):
        rng = generator(3, "twins", "cpu")
        state = kernel.init(rng, model, None, engine=engine, **options)
        for _ in range(4):
            state, info = kernel.step(rng, state, model, None)
        ends.append((state, info.accept))
    (a, accept_a), (b, accept_b) = ends
    assert torch.equal(a.labels, b.labels) and accept_a == accept_b
    assert torch.allclose(a.sums, b.sums, rtol=1e-9, atol=1e-12)
    assert torch.allclose(a.sums.sum(-1), torch.full_like(a.sums[..., 0], 4))


def test_row_marginals_are_exact():
    """On a single row nothing is left to average: one step has the strip's marginals; columns likewise."""
    rng = generator(0, "row", "cpu")
    for model, state in ((m := mixed(1, 9, 3), row_block_gibbs.init(rng, m, None, lines="rows")),
                         (m := mixed(9, 1, 3), row_block_gibbs.init(rng, m, None, lines="columns"))):
        exact, _ = strip.step(rng, strip.init(rng, model, None), model, None)
        state, _ = row_block_gibbs.step(rng, state, model, None)
        assert torch.allclose(row_block_gibbs.expect(state, model)["labels"], exact.labels, rtol=1e-11)


def test_the_better_labelling_goes_to_the_cold():
    """No pixel can move against 500 nats; the copy with the higher log p~ must be the coldest, by certain swaps."""
    model = GridMRF.potts(torch.nn.functional.one_hot(torch.ones(3, 3, dtype=torch.int64), 2), 1.0, (500.0, 0.0))
    rng = generator(0, "cold", "cpu")
    state = parallel_tempering.init(rng, model, None, copies=3, hottest=0.5)
    labels = torch.tensor([0, 1, 1], dtype=torch.uint8)  # of copies 0, 1 and 2
    state = replace(state, labels=labels[:, None, None].repeat(1, 3, 3))
    state, info = parallel_tempering.step(rng, state, model, None)
    assert state.labels[0].all() and info.accept in (0.5, 1.0)


def test_clusters_cross_where_pixels_stick():
    """16 x 16, coupling 1.5 (ordered below 0.88): both colours lead within 200 steps, as by symmetry they must.

    A step leads with either colour with chance 1/2 by Swendsen-Wang alone: never in 200 has chance 2^-199.
    """
    model = GridMRF.potts(torch.zeros(16, 16, 2), 0.0, (1.5, 0.0))
    rng = generator(0, "cross", "cpu")
    state = swendsen_wang.start(rng, model, None, {"labels": torch.zeros(16, 16, dtype=torch.int64)})
    leads = set()
    for _ in range(200):
        state, _ = swendsen_wang.step(rng, state, model, None)
        leads.add(bool(state.labels.double().mean() > 0.5))
    assert leads == {True, False}


@pytest.mark.parametrize("name, options, sentence", [
    ("metropolised_gibbs", {"gibbs": 1.5}, "between 0 and 1"),
    ("metropolised_gibbs", {"gibbs": float("nan")}, "between 0 and 1"),
    ("metropolised_gibbs", {"engine": "torhc"}, "did you mean 'torch'"),
    ("row_block_gibbs", {"lines": "row"}, "did you mean 'rows'"),
    ("parallel_tempering", {"copies": 1}, "at least 2"),
    ("parallel_tempering", {"hottest": 0.0}, "between 0 and 1"),
    ("parallel_tempering", {"hottest": 1.0}, "between 0 and 1"),
])
def test_wrong_options(name, options, sentence):
    with pytest.raises(InputError, match=sentence):
        load.method("grid", name).init(generator(0, "wrong", "cpu"), mixed(2, 2, 2), None, **options)


@pytest.mark.parametrize("labels, sentence", [
    (torch.zeros(3, 2, dtype=torch.int64), "shape"), (torch.full((2, 2), 5), "0 to 1"), (torch.zeros(2, 2), "whole")])
def test_wrong_start(labels, sentence):
    for kernel in (metropolised_gibbs, row_block_gibbs, swendsen_wang, parallel_tempering):
        with pytest.raises(InputError, match=sentence):
            kernel.start(generator(0, "wrong", "cpu"), mixed(2, 2, 2), None, {"labels": labels})


def test_elsewhere_than_on_the_cpu():
    cuda = torch.device("cuda")
    with pytest.raises(InputError, match="use 'gibbs' there"):
        swendsen_wang.init(generator(0, "cuda", "cpu"), SimpleNamespace(device=cuda), None)  # type: ignore[arg-type]
