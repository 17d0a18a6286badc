"""Annealed importance sampling against enumeration and its own twin."""

import math

import pytest
import torch

from errors import InputError
from inference.grid import annealed_importance_sampling as ais
from inference.method import Kind
from tests.support.mixed_grids import mixed, one_thread  # noqa: F401


def runs(model, n, seed=0, **options):
    rng = torch.Generator().manual_seed(seed)
    state = ais.init(rng, model, None, **options)
    for _ in range(n):
        state, info = ais.step(rng, state, model, None)
    return state, info


def exact(model):
    log_p = model.log_joint({"labels": model.configurations})
    y = torch.nn.functional.one_hot(model.configurations, model.shape[2]).double()
    return float(torch.logsumexp(log_p, 0)), (torch.softmax(log_p, 0)[:, None, None, None] * y).sum(0)


@pytest.mark.parametrize("shape, seed", [
    pytest.param((3, 3, 2), 0, marks=pytest.mark.slow), ((2, 3, 3), 1), ((1, 4, 2), 2)])
def test_log_z_is_within_six_standard_errors_and_the_weights_are_unbiased(shape, seed):
    """Weights here are so even that their mean is normal: six standard errors have a false alarm of 2e-9."""
    model = mixed(shape[0], shape[1], shape[2], seed=seed)
    log_Z, marginals = exact(model)
    state, info = runs(model, 300, temperatures=20)
    assert info.kind is Kind.ESTIMATE and 0 < info.log_evidence_se < 0.1
    assert abs(info.log_evidence - log_Z) < 6 * info.log_evidence_se
    ess = float(state.log_w.exp().sum() ** 2 / (2 * state.log_w).exp().sum())
    bound = math.sqrt(math.log(2 * marginals.numel() / 1e-6) / (2 * 0.8 * ess))  # Hoeffding, as if there were ess runs
    assert (ais.expect(state, model)["labels"] - marginals).abs().max() < bound


def test_without_coupling_one_run_is_exact():
    model = mixed(3, 3, 2)
    free = type(model)(model.unary, torch.zeros_like(model.right), torch.zeros_like(model.down))
    assert runs(free, 5)[1].log_evidence_se is None, "runs that are all alike do not show what they missed"
    state, info = runs(free, 1)
    assert info.log_evidence == pytest.approx(exact(free)[0], abs=1e-12) and info.log_evidence_se is None


def test_one_temperature_is_plain_importance_sampling():
    """The mean weight is then an average of exp(pair energy) over free draws: each weight is one labelling's."""
    model = mixed(2, 2, 2)
    state, _ = runs(model, 300, temperatures=1)
    none = torch.zeros_like(model.unary)
    energies = type(model)(none, model.right, model.down).log_joint({"labels": model.configurations})
    possible = torch.logsumexp(model.unary, -1).sum() + energies
    apart = (state.log_w[:, None] - possible).abs().min(1).values
    assert apart.max() < 1e-12 and len(state.log_w.round(decimals=9).unique()) > 8


def test_more_temperatures_make_weights_more_even():
    model = mixed(4, 4, 2, 1.5)
    few, many = (runs(model, 60, temperatures=t)[1].log_evidence_se for t in (3, 60))
    assert many < 0.4 * few


def test_engines_agree_from_the_same_noise():
    for seed, shape in enumerate([(3, 4, 2), (4, 3, 3)]):
        model = mixed(*shape, seed=seed)
        a, b = (runs(model, 5, engine=engine)[0] for engine in ("compiled", "torch"))
        assert a.labels.equal(b.labels) and torch.allclose(a.log_w, b.log_w, atol=1e-11)


@pytest.mark.slow
def test_draws_are_by_weight():
    model = mixed(2, 2, 2)
    state, _ = runs(model, 60)
    rng = torch.Generator().manual_seed(3)
    drawn = torch.stack([ais.draw(rng, state, model)["labels"] for _ in range(3000)]).double().mean(0)
    expected = ais.expect(state, model)["labels"][..., 1]
    assert (drawn - expected).abs().max() < math.sqrt(math.log(2 * 4 / 1e-6) / (2 * 3000))


def test_no_temperatures_are_refused():
    with pytest.raises(InputError, match="at least 1, not 0"):
        ais.init(torch.Generator(), mixed(2, 2, 2), None, temperatures=0)


def test_the_schedule_and_the_weight_of_labels_that_stay(monkeypatch):
    """With sweeps that move nothing the weight is Z_0 exp(pair energy); they are at beta = t / T, t = 1 .. T."""
    model, betas = mixed(2, 3, 2), []

    def still(labels, field, model, beta, uniform, engine):
        betas.append(beta)
        return labels

    monkeypatch.setattr(ais, "sweep", still)
    state, _ = runs(model, 1, temperatures=4)
    pairs = type(model)(torch.zeros_like(model.unary), model.right, model.down)
    log_w = torch.logsumexp(model.unary, -1).sum() + pairs.log_joint({"labels": state.labels[0]})
    assert betas == [0.25, 0.5, 0.75, 1.0] and float(state.log_w[0]) == pytest.approx(float(log_w), abs=1e-12)


@pytest.mark.parametrize("engine", ["compiled", "torch"])
def test_a_sweep_leaves_the_tempered_distribution_alone(engine):
    """Hoeffding at 1e-6 over 18 indicators: draws of p_beta, one sweep each, still have its marginals."""
    model, n, beta = mixed(2, 3, 3), 4000, 0.4
    tempered = type(model)(model.unary, beta * model.right, beta * model.down)
    p, rng = torch.softmax(tempered.log_joint({"labels": model.configurations}), 0), torch.Generator().manual_seed(1)
    start = model.configurations[torch.multinomial(p, n, replacement=True, generator=rng)].to(torch.uint8)
    moved = torch.stack([ais.sweep(y, model.unary, model, beta, torch.rand(2, 3, generator=rng, dtype=torch.float64),
                                   engine) for y in start])
    shares = torch.nn.functional.one_hot(moved.long(), 3).double().mean(0)
    assert (shares - exact(tempered)[1]).abs().max() < math.sqrt(math.log(2 * 18 / 1e-6) / (2 * n))
