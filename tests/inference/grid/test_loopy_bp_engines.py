"""The engines of loopy BP against each other: compiled in logs, compiled in odds, torch; range, threads, images."""

import itertools
import math
from dataclasses import replace

import pytest
import torch

from inference import threads
from inference.grid import loopy_bp
from inference.grid.compiled.loopy_bp_odds import is_safe
from models.grid import GridMRF
from tests.inference.grid.test_loopy_bp import ENGINES, RNG, WAYS, beliefs, homogeneous, random_grid, run
from tests.support.mixed_grids import one_thread  # noqa: F401

SHAPES = [(4, 5, 2), (3, 37, 2), (3, 4, 3), (2, 19, 5), (1, 6, 2), (6, 1, 3), (1, 1, 2), (2, 2, 4)]


@pytest.mark.parametrize("schedule", ["flooding", "sequential"])
@pytest.mark.parametrize("rule", ["sum", "max"])
@pytest.mark.parametrize("damping", [0.0, 0.4])
def test_compiled_equals_torch(schedule, rule, damping, monkeypatch):
    monkeypatch.setattr(loopy_bp, "BAND", 7)  # several bands also on small grids
    for shape, make in itertools.product(SHAPES, (random_grid, homogeneous)):
        model = make(4, *shape)
        options = {"schedule": schedule, "rule": rule, "damping": damping}
        (one, first), (other, second) = (run(model, 3, engine=engine, **options) for engine in ENGINES)
        plain = model.pair is not None and (schedule, rule, damping) == ("flooding", "sum", 0.0)
        assert one.form == ("odds" if plain else "log")
        torch.testing.assert_close(loopy_bp._in_logs(one)[0], other.messages, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(beliefs(one, model), beliefs(other, model), rtol=1e-12, atol=0)
        for a, b in zip(first, second, strict=True):
            assert a.residual == pytest.approx(b.residual, rel=1e-9, abs=1e-14)
            assert a.log_evidence == (None if rule == "max" else pytest.approx(b.log_evidence, rel=1e-13))


@pytest.mark.parametrize("rule, damping", [("sum", 0.0), ("sum", 0.3), ("max", 0.0), ("max", 0.5)])
@pytest.mark.parametrize("shape", [(3, 4, 2), (2, 5, 3), (1, 6, 2), (4, 1, 3)])
def test_residual_schedule_equals_a_plain_one(rule, damping, shape):
    """All updates are computed anew from the formulas of the torch engine before each choice of the largest change."""
    model = random_grid(5, *shape)
    state, infos = run(model, 2, schedule="residual", rule=rule, damping=damping)
    messages, local = torch.zeros_like(state.messages), state.local
    H, W, _ = shape
    for _ in range(2 * (2 * H * (W - 1) + 2 * W * (H - 1))):
        update, _ = loopy_bp.sweep(messages, local, model, "flooding", 0.0, rule)
        side, i, j = map(int, torch.unravel_index((update - messages).abs().amax(1).argmax(), (4, H, W)))
        messages[side, :, i, j] = (1 - damping) * update[side, :, i, j] + damping * messages[side, :, i, j]
    torch.testing.assert_close(state.messages, messages, rtol=1e-11, atol=1e-12)
    update, still = loopy_bp.sweep(messages, local, model, "flooding", 0.0, rule)
    assert infos[-1].residual == pytest.approx(still, abs=1e-12)


@pytest.mark.parametrize("damping", [0.0, 0.5])
@pytest.mark.parametrize("rule", ["sum", "max"])
def test_potentials_of_ten_thousand_nats(rule, damping):
    """No nan and no infinity, and the engines agree; the odds are refused where they are not safe."""
    image = torch.nn.functional.one_hot(torch.tensor([[0, 1, 1, 2], [2, 2, 0, 1], [0, 0, 1, 2]]), 3)
    for model in (GridMRF.potts(image, 1e4, (1e4, 2e3)), GridMRF.potts(image, 10.0, (1e4,)),
                  GridMRF.potts(image, 1e4, (1.0,)), random_grid(7, 3, 4, 3, 1e4)):
        (one, first), (other, second) = (run(model, 6, engine=e, rule=rule, damping=damping) for e in ENGINES)
        assert one.form == "log" and torch.isfinite(one.messages).all()
        torch.testing.assert_close(one.messages, other.messages, rtol=1e-12, atol=1e-9)
        assert torch.isfinite(beliefs(one, model)).all()
        for a, b in zip(first, second, strict=True):
            assert math.isfinite(a.residual) and a.residual == pytest.approx(b.residual, rel=1e-12, abs=1e-9)
            assert rule == "max" or a.log_evidence == pytest.approx(b.log_evidence, rel=1e-12)


@pytest.mark.parametrize("K", [2, 3, 5])
@pytest.mark.parametrize("evidence, coupling", [(340.0, 0.1), (0.0, 68.0), (0.0, -68.0), (110.0, 46.0), (110.0, -46.0)])
def test_odds_at_the_edge_of_what_is_safe(K, evidence, coupling):
    """As far as `is_safe` allows: the same as in logs, by the linear form's own relative precision."""
    labels = torch.randint(K, (6, 11), generator=torch.Generator().manual_seed(8))
    model = GridMRF.potts(torch.nn.functional.one_hot(labels, K), evidence, (coupling,))
    assert is_safe(loopy_bp.init(RNG, model, None, engine="torch").local, model)
    (one, first), (other, second) = (run(model, 12, engine=engine) for engine in ENGINES)
    assert one.form == "odds"
    torch.testing.assert_close(one.messages.log(), other.messages, rtol=1e-12, atol=1e-12)
    for a, b in zip(first, second, strict=True):
        assert a.residual == pytest.approx(b.residual, rel=1e-9, abs=1e-12)
        assert a.log_evidence == pytest.approx(b.log_evidence, rel=1e-13, abs=1e-10)
    assert not is_safe(one.local.log() * 1.02, model.scaled(1.02))


@pytest.mark.parametrize("make, schedule, K", [
    (homogeneous, "flooding", 2), (homogeneous, "flooding", 3), (random_grid, "flooding", 3),
    (random_grid, "sequential", 2), (random_grid, "residual", 2)])
def test_one_thread_or_more_the_same_bytes(make, schedule, K, monkeypatch):
    model, before, found = make(9, 33, 21, K), torch.get_num_threads(), []
    monkeypatch.setattr(threads, "SMALL", 0)
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            state, infos = run(model, 5, schedule=schedule, engine="compiled")
            # the log form's Bethe sum is torch's, which may add in another order
            found.append((state.messages, [(i.residual, i.log_evidence if state.form == "odds" else 0) for i in infos]))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(m, found[0][0]) and said == found[0][1] for m, said in found)


@pytest.mark.parametrize("schedule, engine", WAYS)
def test_an_image_as_data(schedule, engine):
    """Equal to the same evidence in the unary, also when the image changes, or becomes too strong for odds."""
    rng = torch.Generator().manual_seed(10)
    blind = GridMRF.potts(torch.zeros(3, 4, 3), 1.5, (0.5, 0.1))
    one, two = (torch.nn.functional.one_hot(torch.randint(3, (3, 4), generator=rng), 3) for _ in range(2))
    options = {"schedule": schedule, "engine": engine}
    state, _ = run(blind, 4, data=one, **options)
    for image in (two, 1000 * two, one, None):
        seen = replace(blind, unary=blind.field(image))
        expected, same = loopy_bp.step(RNG, loopy_bp._see(state, seen, None), seen, None)
        state, info = loopy_bp.step(RNG, state, blind, image)
        torch.testing.assert_close(beliefs(state, blind), beliefs(expected, seen))
        assert info.log_evidence == pytest.approx(same.log_evidence)
        assert torch.isfinite(state.messages).all()


def test_without_track_the_messages_are_the_same_and_log_z_is_not_computed():
    model = homogeneous(13, 5, 6, 2)
    (one, first), (other, second) = run(model, 3), run(model, 3, track=False)
    assert torch.equal(one.messages, other.messages) and first[-1].log_evidence is not None
    assert second[-1].log_evidence is None and second[-1].kind is None
