"""The compiled noise against Python's own integers, log, cos and sin, and against the normal distribution."""

import multiprocessing

import numpy as np
import pytest
import torch
from scipy import stats

from inference.factorization.compiled import normals as normals_numba
from inference.factorization.compiled.normals import normals
from inference.threads import SMALL


def test_noise_is_normal_and_independent():
    """Kolmogorov-Smirnov p-value above 1e-7 and correlations within 5.5 standard errors (3 x 4e-8)."""
    n = 400_000
    z = normals(torch.Generator().manual_seed(1), n).numpy()
    assert stats.kstest(z, "norm").pvalue > 1e-7
    for a, b in ((z[:-1], z[1:]), (z[: n // 2], z[n // 2 :]), (z[:-1] ** 2 - 1, z[1:] ** 2 - 1)):
        assert abs(np.corrcoef(a, b)[0, 1]) * len(a) ** 0.5 < 5.5
    assert len(np.unique(z)) == n


def test_noise_is_box_and_muller_on_splitmix64():
    """The formulas in Python, with its integers and its log, cos and sin."""
    def uniform(counter):
        x = (12345 + counter * 0x9E3779B97F4A7C15) % 2**64
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
        return (x ^ x >> 31) >> 11

    cosines, sines = np.empty(50), np.empty(50)
    normals_numba._fill(0, 50, np.uint64(12345), cosines, sines)
    for p in range(50):
        r = np.sqrt(-2 * np.log((uniform(2 * p) + 1) / 2**53))
        angle = 2 * np.pi * uniform(2 * p + 1) / 2**53
        assert cosines[p] == pytest.approx(r * np.cos(angle), abs=1e-14)
        assert sines[p] == pytest.approx(r * np.sin(angle), abs=1e-14)


def test_noise_depends_on_the_generator_alone():
    a, b = (normals(torch.Generator().manual_seed(5), 7, 3) for _ in range(2))
    assert torch.equal(a, b) and a.shape == (7, 3)
    assert not torch.equal(a, normals(torch.Generator().manual_seed(6), 7, 3))


def _send(queue):
    queue.put(normals(torch.Generator().manual_seed(0), 3 * SMALL)[-5:].tolist())


def test_threads_work_after_a_fork():
    """Parallel chains may fork after the pool of threads has started; the child has none of its threads."""
    here = normals(torch.Generator().manual_seed(0), 3 * SMALL)[-5:].tolist()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_send, args=(queue,), daemon=True)
    child.start()
    assert queue.get(timeout=60) == here
    child.join()
