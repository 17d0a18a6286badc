"""Perfect sampling against enumeration and the strip recursion, with draws that are independent by construction."""

import math

import pytest
import torch
from scipy.stats import chi2

from errors import InputError
from inference import load
from inference.grid import perfect_sampling as perfect
from inference.grid import strip
from inference.job import Plan
from models.grid import GridMRF
from runs.task import Task, trial
from tests.support.mixed_grids import mixed, one_thread  # noqa: F401

RNG = torch.Generator()


def attractive(H, W, scale=1.0, seed=0) -> GridMRF:
    """Edges of their own that favour equal labels, with asymmetric tables, and fields of either sign."""
    rng = torch.Generator().manual_seed(seed)

    def some(*shape):
        return scale * torch.randn(*shape, generator=rng, dtype=torch.float64)

    right, down = (some(*s, 1, 1).abs() * torch.eye(2).double() + some(*s, 2, 1) for s in ((H, W - 1), (H - 1, W)))
    return GridMRF(some(H, W, 2), right, down)


def draws(model, n, seed=0, **options):
    rng = torch.Generator().manual_seed(seed)
    state, found = perfect.init(rng, model, None, **options), []
    for _ in range(n):
        state, _ = perfect.step(rng, state, model, None)
        found.append(state.labels.long())
    return state, torch.stack(found)


def test_draws_have_the_probability_of_every_labelling():
    """Chi-squared over all 64 labellings of 2 x 3, 4,000 independent draws, false alarm 1e-6."""
    model, n = attractive(2, 3, 0.7), 4000
    _, y = draws(model, n)
    p = torch.softmax(model.log_joint({"labels": model.configurations}), 0)
    index = (y.flatten(1) * 2 ** torch.arange(5, -1, -1)).sum(1)
    seen = torch.bincount(index, minlength=64).double()
    order = p.argsort(descending=True)
    expected, seen = n * p[order], seen[order]
    big = int((expected >= 10).sum())
    expected, seen = (torch.cat([x[:big], x[big:].sum()[None]]) for x in (expected, seen))
    assert float(((seen - expected) ** 2 / expected).sum()) < chi2.isf(1e-6, big)


@pytest.mark.slow
def test_marginals_are_the_strip_recursions():
    """Hoeffding at 1e-6 over the 64 pixels of 8 x 8, at the coupling of the transition, from 400 draws."""
    image = torch.randint(2, (8, 8), generator=torch.Generator().manual_seed(3))
    model = GridMRF.potts(torch.nn.functional.one_hot(image, 2), 0.3, (0.88, 0.0))
    state, _ = draws(model, 400)
    exact, _ = strip.step(torch.Generator(), strip.init(torch.Generator(), model, None), model, None)
    off = (perfect.expect(state, model)["labels"] - exact.labels).abs().max()
    assert off < math.sqrt(math.log(2 * 64 / 1e-6) / (2 * 400))


def test_the_copies_keep_their_order_and_engines_agree():
    model = attractive(4, 5, 1.0, 2)
    for t in range(1, 30):
        rng = torch.Generator().manual_seed(t)
        low, more = (torch.rand(4, 5, generator=rng) < 0.5 for _ in range(2))
        both = torch.stack([low, low | more]).to(torch.uint8)
        a, b = (perfect.sweep(both, model.unary, model, perfect.noise(1, t, 4, 5), e) for e in ("compiled", "torch"))
        assert a.equal(b) and (a[0] <= a[1]).all()


def test_where_sweeps_are_added_before_the_others_noise_is_the_same():
    assert perfect.noise(5, 3, 4, 4).equal(perfect.noise(5, 3, 4, 4))
    assert not perfect.noise(5, 3, 4, 4).equal(perfect.noise(5, 4, 4, 4))


def test_copies_that_do_not_meet_are_a_sentence():
    model = GridMRF.potts(torch.zeros(12, 12, 2), 0.0, (10.0, 2.0))
    with pytest.raises(InputError, match=r"have not met after 8 sweeps, and 144 of 144 pixels differ"):
        perfect.preflight(RNG, perfect.init(RNG, model, None, longest=8), model, None)
    with pytest.raises(InputError, match=r"copies of perfect_sampling .* have not met after 256 sweeps"):
        trial(Task(load.method("grid", "perfect_sampling"), model, None, Plan(10)))


def test_who_does_not_attract_is_refused():
    model = attractive(2, 3)
    model.right[1, 1] = torch.tensor([[0.0, 2.0], [0.0, 0.0]])
    with pytest.raises(InputError, match="the edge 'right' of row 1, column 1 favours unequal ones by 2 nats"):
        perfect.init(torch.Generator(), model, None)
    with pytest.raises(InputError, match="for two labels, and this grid has 3"):
        perfect.init(torch.Generator(), mixed(2, 2, 3), None)
