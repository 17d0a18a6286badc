"""The best labelling by integer programming, against every labelling and the strip recursion."""

import pytest
import torch

from errors import InputError
from inference.grid import integer_programming, strip
from inference.method import Info
from models.grid import GridMRF
from tests.support.mixed_grids import mixed


def solved(model: GridMRF, **options) -> tuple[integer_programming.State, Info]:
    rng = torch.Generator().manual_seed(0)
    return integer_programming.step(rng, integer_programming.init(rng, model, None, **options), model, None)


@pytest.mark.parametrize("shape", [(3, 3, 2), (2, 3, 3), (1, 4, 3), (1, 1, 2)])
def test_the_best_of_every_labelling_and_its_bound(shape):
    """Mixed couplings, tables by site that are not symmetric."""
    model = mixed(*shape)
    best = float(model.log_joint({"labels": model.configurations}).max())
    state, info = solved(model)
    assert state.objective == pytest.approx(best, abs=1e-9) and info.dual_bound == pytest.approx(best, abs=1e-5)
    assert info.converged


def test_as_the_strip_recursion_with_hard_constraints():
    known = torch.full((6, 7), -1)
    known[2, 3] = 1
    model = mixed(6, 7, 2).clamped(known)
    best = float(model.log_joint({"labels": strip.map_estimate(model)}))
    state, info = solved(model)
    assert state.objective == pytest.approx(best, abs=1e-9) and int(state.labels[2, 3]) == 1
    assert info.dual_bound is not None and info.dual_bound >= best - 1e-6


def test_what_is_refused():
    with pytest.raises(InputError, match="use the method 'trw_s'"):
        integer_programming.init(torch.Generator(), GridMRF.potts(torch.zeros(500, 500, 2)), None)
    with pytest.raises(InputError, match="seconds must be above 0"):
        integer_programming.init(torch.Generator(), mixed(2, 2, 2), None, seconds=0.0)
