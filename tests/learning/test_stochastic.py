"""Persistent contrastive divergence, and EM from the image alone: the whole likelihood, enumeration, draws whose
weights are known."""

import numpy as np
import pytest
import torch

import run
from data.images import write_image
from errors import InputError
from learning import contrastive_divergence as cd
from learning import potts, unsupervised
from models.grid import GridMRF
from tests.learning.test_potts import FAR, drawn, pairs


def noisy(truth, K, E, seed):
    rng = np.random.default_rng(seed)
    wrong = rng.random(truth.shape) > unsupervised.share(E, K)
    return np.where(wrong, (truth + rng.integers(1, K, truth.shape)) % K, truth)


def test_a_sweep_keeps_the_distribution():
    """The mean of S over 4,000 chains is within 5.5 standard errors of the enumerated one, but for 4e-8."""
    y, J, rng = GridMRF.potts(torch.zeros(2, 3, 3)).configurations.numpy(), 0.7, np.random.default_rng(0)
    p = np.exp(J * pairs(y))
    p /= p.sum()
    chains = y[rng.choice(len(y), 4000, p=p)]
    for _ in range(20):
        chains = cd.sweep(rng, chains, J, 3)
    spread = (p @ pairs(y)**2 - (p @ pairs(y))**2) ** 0.5
    assert abs(cd.equal(chains).mean() - p @ pairs(y)) < FAR * spread / 4000**0.5
    assert (cd.equal(chains) == pairs(chains)).all()


@pytest.mark.parametrize(("shape", "K", "J"), [
    pytest.param((6, 60), 2, 0.6, marks=pytest.mark.slow), ((4, 60), 3, 0.8)])
def test_contrastive_divergence_comes_to_the_whole_likelihood(shape, K, J):
    """Within a fifth of its standard error, which is the image's; and the truth within 5.5 of them."""
    truth = drawn(shape, K, J, seed=1)
    found, whole = cd.by_contrastive_divergence(truth, K), potts.by_likelihood(truth, K)
    assert abs(found.value - whole.value) < 0.2 * whole.error and found.error == pytest.approx(whole.error, rel=0.15)
    assert abs(found.value - J) < FAR * found.error


def test_moments_given_an_image_are_exact_on_a_chain():
    x, K, E, J = np.array([[0, 1, 1, -1, 2, 0, 0]]), 3, 0.9, 0.6
    y = GridMRF.potts(torch.zeros(1, 7, K)).configurations.numpy()
    right = ((y == x) & (x >= 0)).sum((1, 2))
    p = np.exp(E * right + J * pairs(y))
    p /= p.sum()
    assert unsupervised.Beliefs(x, K).moments(E, J, sweeps=20) == pytest.approx([p @ right, p @ pairs(y)], abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "K", "J", "E"), [((8, 60), 2, 0.6, 1.5), ((5, 80), 3, 0.8, 2.0)])
def test_the_image_alone_tells_its_weights_within_the_errors(shape, K, J, E):
    evidence, coupling = unsupervised.by_em(noisy(drawn(shape, K, J, seed=1), K, E, seed=2), K)
    assert abs(evidence.value - E) < FAR * evidence.error and abs(coupling.value - J) < FAR * coupling.error
    assert evidence.error < 0.6 and coupling.error < 0.2


def test_what_cannot_be_learned_is_said():
    truth = drawn((6, 20), 2, 0.5, seed=4)
    truth[0, 0] = -1
    for learn in (cd.by_contrastive_divergence, potts.by_likelihood):
        with pytest.raises(InputError, match="the truth of every pixel"):
            learn(truth, 2)
    with pytest.raises(InputError, match="the image alone does not tell"):
        unsupervised.by_em(np.zeros((8, 8), dtype=int), 2)


@pytest.fixture
def words(tmp_path, monkeypatch):
    """Of a run on a noisy image, whose truth stands beside it."""
    monkeypatch.chdir(tmp_path)
    truth = drawn((8, 30), 2, 0.6, seed=5)
    write_image("truth.png", torch.from_numpy(truth))
    write_image("noisy.png", torch.from_numpy(noisy(truth, 2, 1.5, seed=3)))
    return ["--problem", "1", "--image", "noisy.png", "--method", "loopy_bp", "--sweeps", "3", "--out"]


@pytest.mark.slow
def test_at_the_door(words, capsys):
    truth = drawn((8, 30), 2, 0.6, seed=5)
    J = cd.by_contrastive_divergence(truth, 2)
    for place, by in (("a", "--learn truth.png --learn-by contrastive_divergence"), ("b", "--learn-by em")):
        assert run.guarded([*words, place, *by.split()]) == 0
        said = capsys.readouterr().out
        assert f"coupling {J.value:.4g} ± {J.error:.2g} by persistent" in said if place == "a" else (
            "Learned from noisy.png, in nats: evidence" in said and "by EM with belief propagation" in said)


def test_what_does_not_go_together_is_said(words, capsys):
    for by, why in (("--learn-by em --learn truth.png", "em learns from the image alone"),
                    ("--learn-by likelihood", "goes with --learn TRUTH"), ("--learn-by magic", "unknown"),
                    ("--learn-by em --evidence 3", "--evidence would change nothing")):
        assert run.guarded([*words, "c", *by.split()]) == 2
        assert why in capsys.readouterr().err
