"""Gibbs and NUTS agree on a small problem, and the test that says so can fail."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats

from experiments.problem3 import nuts_check


@pytest.mark.slow
def test_gibbs_and_nuts_agree():
    """False alarm 2.4e-7, by the limit's own definition."""
    torch.set_num_threads(1)
    assert nuts_check.largest_score() < nuts_check.LIMIT


@pytest.mark.slow
def test_a_sampler_of_another_posterior_is_noticed(monkeypatch):
    """Gibbs that believes the noise to be half as large."""
    torch.set_num_threads(1)
    model, data = nuts_check.small()
    other = dataclasses.replace(model, noise_variance=model.noise_variance / 2)
    real = nuts_check.drive

    def drive(method, given, *more, **options):
        return real(method, other if method.name == "row_gibbs" else given, *more, **options)

    monkeypatch.setattr(nuts_check, "drive", drive)
    assert nuts_check.largest_score() > nuts_check.LIMIT


def test_the_limit_is_what_it_says():
    scores = 2 * len(nuts_check.PAIRS)
    assert scores * 2 * stats.t.sf(nuts_check.LIMIT, nuts_check.BATCHES - 1) < 1e-6
    draws = np.random.Generator(np.random.PCG64(0)).normal(size=(4000, 3))
    mean, variance = nuts_check.batch_moments(draws)
    assert np.abs(mean - [0, 0, 0, 1, 1, 1]).max() < 0.15 and variance.shape == (6,)
