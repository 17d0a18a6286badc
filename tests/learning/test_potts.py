"""Weights learned from an image and its truth: enumeration, and draws whose weights are known."""

from pathlib import Path

import numpy as np
import pytest
import torch

import run
from data.images import write_image
from errors import InputError
from inference import load
from inference.job import generator
from learning import potts
from models.grid import GridMRF

FAR = 5.5  # standard errors: a normal is farther with probability 4e-8


def drawn(shape, K, J, seed):
    """An exact draw of a Potts grid without evidence, by the strip recursion."""
    H, W = shape
    method, model = load.method("grid", "strip"), GridMRF.potts(torch.zeros(H, W, K), 0.0, J * torch.eye(K).double())
    rng = generator(seed, "drawn", torch.device("cpu"))
    state, _ = method.step(rng, method.init(rng, model, None), model, None)
    return method.draw(rng, state, model)["labels"].numpy().astype(np.int64)


def pairs(y):
    """Of (n, H, W) labels, the number of equal neighbours."""
    return (y[:, 1:] == y[:, :-1]).sum((1, 2)) + (y[:, :, 1:] == y[:, :, :-1]).sum((1, 2))


def test_the_whole_likelihood_by_enumeration():
    """At its J the expected number of equal neighbours is the one seen; the error is of the variance."""
    truth = np.array([[0, 0, 1], [0, 1, 1], [0, 0, 0]])
    found = potts.by_likelihood(truth, 2)
    y = GridMRF.potts(torch.zeros(3, 3, 2)).configurations.numpy()
    p = np.exp(found.value * pairs(y))
    p /= p.sum()
    assert p @ pairs(y) == pytest.approx(pairs(truth[None])[0], abs=1e-5)
    assert found.error == pytest.approx((p @ pairs(y)**2 - (p @ pairs(y))**2)**-0.5, rel=1e-4)


def test_pseudo_likelihood_by_its_definition():
    """No J near by has a larger product of p(y_s | its neighbours), each by setting the pixel to every label."""
    truth = drawn((5, 6), 3, 0.5, seed=0)

    def log_pl(J):
        total = 0.0
        for i, j in np.ndindex(truth.shape):
            changed = np.repeat(truth[None], 3, 0)
            changed[:, i, j] = range(3)
            scores = J * pairs(changed)
            total += scores[truth[i, j]] - np.log(np.exp(scores).sum())
        return total

    J = potts.by_pseudo_likelihood(truth, 3).value
    assert log_pl(J) > max(log_pl(J - 1e-3), log_pl(J + 1e-3))


@pytest.mark.parametrize(("shape", "K", "J"), [
    ((8, 60), 2, -0.4), pytest.param((8, 60), 2, 0.6, marks=pytest.mark.slow),
    pytest.param((5, 80), 3, 0.8, marks=pytest.mark.slow)])
def test_the_truth_is_recovered_within_the_errors(shape, K, J):
    truth = drawn(shape, K, J, seed=1)
    for found in (potts.by_pseudo_likelihood(truth, K), potts.by_likelihood(truth, K)):
        assert abs(found.value - J) < FAR * found.error < 1.0
    rng, E = np.random.default_rng(2), 1.5
    wrong = rng.random(shape) > np.exp(E) / (np.exp(E) + K - 1)
    found = potts.evidence(np.where(wrong, (truth + rng.integers(1, K, shape)) % K, truth), truth, K)
    assert abs(found.value - E) < FAR * found.error < 1.0


@pytest.mark.slow
def test_errors_are_those_of_many_draws():
    """z-scores of 60 draws: 59 times their variance is chi-squared, within 19 to 132 but for 4e-7."""
    found = [potts.by_pseudo_likelihood(drawn((6, 60), 2, 0.5, seed=s), 2) for s in range(60)]
    z = np.array([(f.value - 0.5) / f.error for f in found])
    assert 19 < 59 * z.var(ddof=1) < 132 and abs(z.mean()) < FAR / 60**0.5


def test_pixels_without_truth_count_nowhere():
    truth = drawn((6, 20), 2, 0.5, seed=4)
    wider = np.pad(truth, ((0, 0), (0, 9)), constant_values=-1)
    inner = potts.by_pseudo_likelihood(wider, 2)
    narrow = np.pad(truth, ((0, 0), (0, 2)), constant_values=-1)
    assert inner.value == pytest.approx(potts.by_pseudo_likelihood(narrow, 2).value)
    assert potts.coupling(wider, 2).by == "pseudo-likelihood" and potts.coupling(truth[:, :8], 2).by != inner.by


def test_what_tells_nothing_is_said():
    flat = np.zeros((4, 4), dtype=int)
    for learn in (lambda: potts.by_pseudo_likelihood(flat, 2), lambda: potts.by_likelihood(flat, 2)):
        with pytest.raises(InputError, match="no finite coupling follows"):
            learn()
    with pytest.raises(InputError, match="16 of 16 observed pixels are as in the truth"):
        potts.evidence(flat, flat, 2)


def test_learn_at_the_door(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    truth = drawn((6, 12), 2, 0.7, seed=5)
    noisy = np.where(np.random.default_rng(0).random(truth.shape) < 0.2, 1 - truth, truth)
    write_image("truth.png", torch.from_numpy(truth))
    write_image("noisy.png", torch.from_numpy(noisy))
    words = "--problem 1 --image noisy.png --learn truth.png --method strip --out out"
    assert run.guarded(words.split()) == 0
    E, J = potts.evidence(noisy, truth, 2), potts.coupling(truth, 2)
    said = capsys.readouterr().out
    assert f"evidence {E.value:.4g} ± {E.error:.2g}" in said and f"coupling {J.value:.4g} ± {J.error:.2g}" in said
    assert Path("out/strip.nc").exists()
    for more, why in (("--evidence 3", "--evidence would change nothing: --learn says it"),
                      ("--coupling 3", "--coupling would change nothing: --learn says it")):
        assert run.guarded([*words.split()[:-1], "other", *more.split()]) == 2
        assert why in capsys.readouterr().err
