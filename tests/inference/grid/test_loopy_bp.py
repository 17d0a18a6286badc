"""Loopy BP against the reference's numbers, enumeration on trees, libDAI and the Bethe conditions."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from data.grid_files import read_grid
from errors import InputError
from inference.grid import loopy_bp
from inference.method import Kind
from models.grid import GridMRF
from tests.support import OUTSIDE
from tests.support.mixed_grids import one_thread  # noqa: F401

SHARED = OUTSIDE
RNG = torch.Generator()
ENGINES = ["compiled", "torch"]
WAYS = [("flooding", "compiled"), ("flooding", "torch"), ("sequential", "compiled"), ("sequential", "torch"),
        ("residual", "compiled")]


def small() -> GridMRF:
    return GridMRF.potts(torch.nn.functional.one_hot(torch.tensor([[0, 0, 0], [0, 0, 0], [1, 1, 1]]), 2))


def random_grid(seed: int, H: int, W: int, K: int, strength: float = 1.0) -> GridMRF:
    """A grid with its own table at every site and edge."""
    rng = torch.Generator().manual_seed(seed)
    unary, right, down = (strength * torch.randn(s, generator=rng, dtype=torch.float64)
                          for s in ((H, W, K), (H, W - 1, K, K), (H - 1, W, K, K)))
    return GridMRF(unary, right, down)


def homogeneous(seed: int, H: int, W: int, K: int, strength: float = 1.0) -> GridMRF:
    """A grid with one table, not symmetric, so that directions cannot be mixed up."""
    rng = torch.Generator().manual_seed(seed)
    unary, pair = (strength * torch.randn(s, generator=rng, dtype=torch.float64) for s in ((H, W, K), (K, K)))
    return GridMRF(unary, pair.expand(H, W - 1, K, K), pair.expand(H - 1, W, K, K))


def run(model, sweeps, data=None, **options):
    state = loopy_bp.init(RNG, model, data, **options)
    infos = []
    for _ in range(sweeps):
        state, info = loopy_bp.step(RNG, state, model, data)
        infos.append(info)
    return state, infos


def beliefs(state, model):
    return loopy_bp.expect(state, model)["labels"]


def enumerated(model):
    """Marginals, log Z and the MAP by listing every labelling."""
    y = model.configurations
    log_p = model.log_joint({"labels": y})
    one_hot = torch.nn.functional.one_hot(y, model.shape[2]).double()
    return torch.tensordot(torch.softmax(log_p, 0), one_hot, 1), float(torch.logsumexp(log_p, 0)), y[log_p.argmax()]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_reference_after_thirty_flooding_sweeps(engine):
    """The source's beliefs, in the float64 digits of the design notes, and as it prints them."""
    state, infos = run(small(), 30, engine=engine)
    found = beliefs(state, small())[..., 1].flatten().tolist()
    assert found == pytest.approx([5.79881945e-12, 1.71418507e-15, 5.79881945e-12,
                                   1.51930130e-08, 6.56530139e-12, 1.51930130e-08,
                                   9.97476218e-01, 9.97515359e-01, 9.97476218e-01], rel=1e-8)
    assert found == pytest.approx([5.79881973e-12, 1.71418509e-15, 5.79881973e-12,
                                   1.51930125e-08, 6.56530103e-12, 1.51930125e-08,
                                   9.97476217e-01, 9.97515360e-01, 9.97476217e-01], rel=1e-6)
    assert infos[-1].kind is Kind.BETHE and infos[-1].converged and not infos[-1].oscillating


@pytest.mark.parametrize("schedule, engine", WAYS)
def test_bethe_log_z_errs_as_libdai_says(schedule, engine):
    """libDAI's log Z minus the exact one is +7.187e-4 for its sum-product BP (README of the shared data)."""
    path = SHARED / "fg" / "testfast.fg"
    if not path.exists():
        pytest.skip("the shared data (fg/testfast.fg) is not here")
    _, infos = run(read_grid(path), 60, schedule=schedule, engine=engine)
    assert infos[-1].converged
    assert infos[-1].log_evidence - 14.328233281 == pytest.approx(7.187e-4, abs=5e-8)


@pytest.mark.parametrize("schedule, engine", WAYS)
@pytest.mark.parametrize("shape", [(1, 7, 2), (7, 1, 2), (1, 5, 3), (4, 1, 4), (1, 1, 3)])
def test_exact_on_trees(schedule, engine, shape):
    """A chain of n pixels needs n - 1 flooding sweeps, one sequential sweep, and never more than n residual ones."""
    for model in (random_grid(0, *shape), homogeneous(1, *shape)):
        marginals, log_Z, _ = enumerated(model)
        state, infos = run(model, 1 if schedule == "sequential" else max(shape[:2]), schedule=schedule, engine=engine)
        torch.testing.assert_close(beliefs(state, model), marginals, rtol=1e-12, atol=1e-13)
        assert infos[-1].log_evidence == pytest.approx(log_Z, abs=1e-12)


@pytest.mark.parametrize("schedule, engine", WAYS)
def test_max_product_finds_the_map_of_a_tree(schedule, engine):
    for seed, shape in enumerate([(1, 9, 2), (8, 1, 2), (1, 6, 3), (5, 1, 4)]):
        for model in (random_grid(seed, *shape, 2.0), homogeneous(seed, *shape, 2.0)):
            state, infos = run(model, 10, schedule=schedule, engine=engine, rule="max")
            assert torch.equal(loopy_bp.draw(RNG, state, model)["labels"], enumerated(model)[2])
            assert infos[-1].log_evidence is None and infos[-1].kind is None


@pytest.mark.parametrize("schedule, engine", [*WAYS, ("odds", "compiled")])
def test_fixed_point_beliefs_agree_and_the_bethe_gradient_is_zero(schedule, engine):
    """Pair beliefs sum to single ones (so the constraints hold); autograd by all messages through `bethe`."""
    make = homogeneous if schedule == "odds" else random_grid
    options = {"schedule": "flooding" if schedule == "odds" else schedule, "engine": engine}

    def slope(state):
        messages, local = loopy_bp._in_logs(state)
        messages = messages.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loopy_bp.bethe(messages, local, model), messages)
        for border in (gradient[0, :, :, 0], gradient[1, :, :, -1], gradient[2, :, 0], gradient[3, :, -1]):
            border.zero_()  # no neighbour, no message
        return float(gradient.abs().max())

    for shape in [(4, 5, 2), (3, 4, 3)]:
        model = make(3, *shape, 0.7)
        early, _ = run(model, 1, **options)
        state, infos = run(model, 150, **options)
        assert state.form == ("odds" if schedule == "odds" else "log") and infos[-1].residual < 1e-13
        assert slope(state) < 1e-13 < 1e-3 < slope(early)
        single, pair = beliefs(state, model), loopy_bp.pair_beliefs(state, model)
        for sums, pixels in ((pair["right"].sum(-1), single[:, :-1]), (pair["right"].sum(-2), single[:, 1:]),
                             (pair["down"].sum(-1), single[:-1]), (pair["down"].sum(-2), single[1:])):
            torch.testing.assert_close(sums, pixels, rtol=1e-12, atol=1e-13)


def test_damping_is_an_average_of_log_messages():
    """The first sweep goes from 0 to (1 - d) times the undamped message; d = 0.25."""
    model = random_grid(6, 3, 4, 3)
    for schedule, engine in WAYS[:2]:
        whole, part = (run(model, 1, schedule=schedule, engine=engine, damping=d)[0].messages for d in (0.0, 0.25))
        torch.testing.assert_close(part, 0.75 * whole, rtol=1e-14, atol=0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", ["sum", "max"])
def test_oscillation_is_reported_and_damping_ends_it(engine, rule):
    """Pixels that must differ from their neighbours but all lean to label 0: all flee at once, and come back.

    Under `max` damping leads to ties, which rounding breaks, so only `sum` is asked to converge.
    """
    image = torch.nn.functional.one_hot(torch.zeros(4, 6, dtype=torch.long), 2)
    model = GridMRF.potts(image, 1.0, (0.0, 1.2))
    _, infos = run(model, 60, engine=engine, rule=rule)
    assert infos[-1].oscillating and not infos[-1].converged and infos[-1].residual > 1
    assert infos[-1].residual == pytest.approx(infos[-10].residual, rel=0.1)
    _, infos = run(model, 70, engine=engine, rule=rule, damping=0.5)
    assert not any(info.oscillating for info in infos)
    assert rule == "max" or infos[-1].converged


def test_draws_follow_the_beliefs():
    """Hoeffding at 1e-6 over the 18 indicators of 1,500 draws."""
    model = random_grid(11, 2, 3, 3)
    state, _ = run(model, 10)
    rng = torch.Generator().manual_seed(12)
    draws = torch.stack([loopy_bp.draw(rng, state, model)["labels"] for _ in range(1500)])
    mean = model.quantities({"labels": draws})["labels"].mean(0)
    assert float((mean - beliefs(state, model)).abs().max()) < math.sqrt(math.log(2 * 18 / 1e-6) / (2 * 1500))


@pytest.mark.parametrize("options, words", [
    ({"schedule": "floding"}, "did you mean 'flooding'"),
    ({"rule": "maximum"}, "unknown rule of loopy_bp 'maximum'"),
    ({"engine": "numba"}, "unknown engine"),
    ({"damping": -0.1}, "at least 0 and below 1, not -0.1"),
    ({"damping": 1.0}, "at least 0 and below 1"),
    ({"damping": float("nan")}, "not nan"),
    ({"schedule": "residual", "engine": "torch"}, "needs the compiled engine"),
])
def test_wrong_options_are_one_sentence(options, words):
    with pytest.raises(InputError, match=words):
        loopy_bp.init(RNG, small(), None, **options)


def test_compiled_is_refused_elsewhere_than_on_the_cpu():
    elsewhere: Any = SimpleNamespace(device=torch.device("cuda"))
    with pytest.raises(InputError, match="use engine 'torch'"):
        loopy_bp.init(RNG, elsewhere, None, engine="compiled")
