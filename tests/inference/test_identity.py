"""What a result says it is of: the same for the same, another for every difference that changes the posterior."""

from dataclasses import replace

import torch

from data.ratings import Split
from experiments.problem3 import main as problem3
from inference.job import Plan
from models.factorization import Factorization
from models.grid import GridMRF
from models.ladder import make
from runs import options
from tests.support.fits import fit_task
from tests.support.small_ratings import jester_in_small

IMAGE = torch.eye(2)[torch.tensor([[0, 0, 1], [1, 0, 1]])]


def test_a_fingerprint_is_of_every_byte_of_the_ratings():
    _, ratings = jester_in_small(30, 8, 100)
    twin = ratings.take(torch.arange(100))
    assert twin.fingerprint == ratings.fingerprint

    def last(column, value):
        return torch.cat([column[:99], torch.tensor([value], dtype=column.dtype)])

    changed = [replace(ratings, rating=last(ratings.rating, float(ratings.rating[99]) + 1e-12)),
               replace(ratings, user=last(ratings.user, (int(ratings.user[99]) + 1) % 30)),
               replace(ratings, item=last(ratings.item, (int(ratings.item[99]) + 1) % 8))]
    changed += [ratings.take(torch.arange(99)), ratings.take(torch.arange(99, -1, -1))]
    assert len({r.fingerprint for r in (ratings, *changed)}) == 6


def test_a_model_is_its_class_and_its_numbers():
    plain = Factorization(30, 8, 2)
    pairs = (torch.zeros(1, dtype=torch.int64),) * 2
    _, ratings = jester_in_small(30, 8, 100)

    def said(model):
        return model.facts(ratings)["model"]

    assert said(replace(plain, pairs=pairs)) == said(plain) == {
        "class": "Factorization", "num_users": 30, "num_items": 8, "rank": 2, "prior_variance": 5.0,
        "noise_variance": 1.0}
    others = [replace(plain, rank=3), replace(plain, noise_variance=2.0), make("biases", 30, 8, 2),
              make("noise", 30, 8, 2), make("noise+biases", 30, 8, 2)]
    assert len({str(said(m)) for m in (plain, *others)}) == 6


def test_a_grid_is_its_potentials_however_they_are_stored():
    grid = GridMRF.potts(IMAGE, 2.0, (1.0, 0.5))
    stored = GridMRF(grid.unary.clone(), grid.right.contiguous(), grid.down.contiguous())
    assert stored.facts() == grid.facts()
    one = stored.right.clone()
    one[1, 0, 0, 1] += 1e-9
    others = [grid.scaled(0.5), GridMRF.potts(1 - IMAGE, 2.0, (1.0, 0.5)), GridMRF.potts(IMAGE, 2.0, (1.0, 0.6)),
              replace(stored, right=one)]
    assert len({str(g.facts()["data"]) for g in (grid, *others)}) == 5
    given = replace(grid, unary=0 * grid.unary)  # the image as data instead
    assert given.facts(IMAGE.double()) == grid.facts()
    assert GridMRF.potts(IMAGE[:1, :1]).facts()["model"] == {
        "class": "GridMRF", "height": 1, "width": 1, "labels": 2}


def test_both_problems_say_the_same_of_the_same_data():
    _, ratings = jester_in_small(30, 8, 100)
    parts = Split(*(ratings.take(torch.arange(*ends)) for ends in ((0, 80), (80, 90), (90, 100))))
    two = fit_task("coordinate_ascent", parts, 2, epochs=1, samples=7)
    three = problem3.scored(options.parse("factorization", "row_gibbs"), Factorization(30, 8, 2), parts, Plan(2))
    a, b = ({**t.model.facts(t.data), **(t.observer.facts() if t.observer else {})} for t in (two, three))
    assert a["samples"] == 7 and two.model.kind == three.model.kind == "factorization"
    assert a["model"] == b["model"] and a["data"] == b["data"]
    assert a["data"] == {name: {"ratings": len(r), "fingerprint": r.fingerprint} for name, r in (
        ("scored_train", parts.train), ("validation", parts.validation), ("test", parts.test))}
