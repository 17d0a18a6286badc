"""Ratings of other scales than 1 to 5 and of Jester's, and shares of a split."""

import numpy as np
import torch

from data.ratings import load_ratings, parse_fractions, split
from models.ratings import Ratings


def test_a_file_of_1_to_10_is_taken_as_it_is(tmp_path):
    """Nothing lies outside -10..10, and it is still no Jester file."""
    path = tmp_path / "ten.csv"
    lines = [f"{u},{i},{1 + (3 * u + 7 * i) % 10}" for u in range(20) for i in range(6)]
    path.write_text("user,item,rating\n" + "\n".join(lines))
    ratings = load_ratings(str(path), 0, "auto", say=lambda line: None)
    assert sorted(set(ratings.rating.tolist())) == list(map(float, range(1, 11)))


def test_shares_of_a_split_are_those_of_their_own_set():
    n = 1000
    ratings = Ratings(torch.arange(n) % 50, torch.arange(n) // 50, torch.ones(n, dtype=torch.float64), 50, 20)
    parts = split(ratings, parse_fractions("0.5,0.4,0.1"), rng=torch.Generator().manual_seed(0))
    assert [len(x) for x in (parts.train, parts.validation, parts.test)] == [500, 400, 100]
    pairs = np.concatenate([(x.user * 20 + x.item).numpy() for x in (parts.train, parts.validation, parts.test)])
    assert len(set(pairs.tolist())) == n
