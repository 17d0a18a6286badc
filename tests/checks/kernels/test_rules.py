"""The verdict's rules on numbers worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from checks.kernels.trial import Suspect, confirmed, suspects


def compared(z, p):
    return SimpleNamespace(z=torch.tensor(z, dtype=torch.float64), p_values=np.array(p, dtype=float))


def test_a_look_shares_its_level_among_all_scores():
    """Six scores, one of them never compared: 0.05 / 5 = 0.01 for each."""
    nan = float("nan")
    found = suspects(compared([[3.0, -4.0, nan], [0.1, -2.0, 5.0]], [[0.0101, 0.002, nan], [0.9, 0.04, 1e-5]]), 0.05)
    assert [(s.score, s.function, s.sign) for s in found] == [(1, 2, 1.0), (0, 1, -1.0)]  # worst first
    assert found[0].p_value == pytest.approx(5e-5) and found[1].z == -4.0
    assert suspects(compared([[3.0]], [[0.049]]), 0.05)
    assert not suspects(compared([[3.0], [0.0]], [[0.049], [1.0]]), 0.05)


@pytest.mark.parametrize(("z", "p", "told"), [
    (3.0, 0.0038, True), (3.0, 0.0042, False),  # one-sided: half of p, against 0.002
    (-3.0, 1e-9, False),  # the other direction confirms nothing
])
def test_fresh_replicates_must_say_the_same(z, p, told):
    suspect = Suspect(0, 1, 1.0, 1e-4, 4.0)
    assert confirmed(compared([[0.0, z]], [[1.0, p]]), suspect, 0.002) is told
    assert confirmed(compared([[0.0, -z]], [[1.0, p]]), Suspect(0, 1, -1.0, 1e-4, -4.0), 0.002) is told
