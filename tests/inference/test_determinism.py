"""The same arrays to the bit: on one thread and on two, and whatever order Python's hashes have."""

import numpy as np
import pytest
import torch

from inference import load
from inference.drive import drive
from inference.job import Plan, generator
from inference.method import Family
from inference.threads import SMALL, over_rows, threads, torch_on_one_thread
from models.factorization import Factorization
from models.grid import GridMRF
from models.ladder import Ladder

# SVI of Pyro's and elbo_by_hand: see test_svi.py. collapsed_gibbs takes seconds.
RATINGS = ("coordinate_ascent", "entry_gibbs", "hmc_within_gibbs", "ladder_gibbs", "maximum_likelihood", "row_gibbs",
           "sgld")
GRIDS = ("gibbs", "loopy_bp", "mean_field", "metropolised_gibbs", "parallel_tempering", "row_block_gibbs",
         "swendsen_wang")


@pytest.fixture(scope="module")
def ratings():
    """40,000, where torch splits sums and products between threads: it does above 32,768 numbers."""
    rng = generator(0, "ratings")
    user, item = (torch.rand(2000, 100, generator=rng) < 0.2).nonzero(as_tuple=True)
    model = Factorization(2000, 100, 5, pairs=(user, item))
    return model.simulate(rng, model.prior(rng))


def on(number, name, model, data, **options):
    """The arrays of a method where torch and the kernels have that many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        method = load.method(model.kind, name)
        result = drive(method, model, data, Plan(3, warmup=method.family is Family.MCMC, draws=2), options)
        assert torch.get_num_threads() == number
    finally:
        torch.set_num_threads(before)
    return {(group, name): array for group in ("draws", "expected", "trace")
            for name, array in getattr(result, group).items()}


def check(name, model, data, **options):
    one, two = (on(number, name, model, data, **options) for number in (1, 2))
    assert one and one.keys() == two.keys()
    assert [key for key in one if not np.array_equal(one[key], two[key], equal_nan=True)] == []


@pytest.mark.parametrize("name", RATINGS)
def test_ratings(name, ratings):
    check(name, Factorization(2000, 100, 5, pairs=ratings.pairs), ratings)


@pytest.mark.parametrize("name", ["ladder_gibbs", "composite_gibbs_pyro"])
def test_more_learned(name, ratings):
    check(name, Ladder(2000, 100, 5, pairs=ratings.pairs, noise=True, hierarchical=True, biases=True), ratings)


@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize("name", GRIDS)
def test_grids(name, engine):
    image = torch.nn.functional.one_hot(torch.randint(3, (120, 150), generator=generator(0, "image")), 3)
    if (name, engine) == ("swendsen_wang", "torch"):
        pytest.skip("its clusters take seconds in torch; bench/determinism.py has it")
    options = {"engine": engine} if "engine" in load.method("grid", name).options else {}
    check(name, GridMRF.potts(image, 1.0, (0.8, 0.1)), None, **options)


def test_beliefs_of_nine_pixels():
    """Two threads cut even these, and torch's exponentials of what is left over by its vectors are other code."""
    image = torch.nn.functional.one_hot(torch.tensor([[0, 0, 0], [0, 0, 0], [1, 1, 1]]), 2)
    check("loopy_bp", GridMRF.potts(image), None, schedule="sequential")


def test_kernels_keep_their_threads_where_torch_has_one():
    ran: list[tuple[int, int]] = []

    def pieces() -> int:
        ran.clear()
        over_rows(lambda first, last: ran.append((first, last)), 2 * SMALL)
        return len(ran)

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch_on_one_thread():
            assert (torch.get_num_threads(), threads()) == (1, 2)
            assert pieces() == 8
            with torch_on_one_thread(kernels=1):
                assert threads() == pieces() == 1
            assert threads() == 2
        assert torch.get_num_threads() == threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_pgmpys_sets_has_no_say(seed, monkeypatch):
    """Its tables are hashed by their bytes, and Python's hashes of bytes are others in every process."""
    from pgmpy.factors.discrete import DiscreteFactor

    unary, right, down = (torch.randn(*shape, generator=generator(seed, "grid"), dtype=torch.float64)
                          for shape in ((2, 3, 3), (2, 2, 3, 3), (1, 3, 3, 3)))
    before, found = DiscreteFactor.__hash__, []
    for process in range(6):
        monkeypatch.setattr(DiscreteFactor, "__hash__", lambda self, process=process: hash((process, before(self))))
        found.append(on(1, "variable_elimination_pgmpy", GridMRF(unary, right, down), None))
    assert all(np.array_equal(other[key], found[0][key]) for other in found for key in found[0])
