"""Splits by seed, subsamples, and splits given as files."""

import math

import pytest
import torch

from data.ratings import Ratings, parse_fractions, read_split, split, subsample
from data.split import Turns
from errors import InputError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(N: int) -> Ratings:
    """N ratings whose value is their position, ten users to an item."""
    place = torch.arange(N)
    return Ratings(place % 10, place // 10, place.double(), 10, N // 10 + 1, scale=(0.0, N), user_ids=range(10))


def test_sizes_are_the_rounded_fractions_and_every_rating_falls_once():
    ratings = some(1_003)
    for fractions, sizes in [
        ((0.98, 0.01, 0.01), (983, 10, 10)), ((0.9, 0, 0.1), (903, 0, 100)), ((1, 0, 0), (1003, 0, 0)),
    ]:
        parts = split(ratings, fractions, rng=seeded())
        given = (parts.train, parts.validation, parts.test)
        assert tuple(len(p) for p in given) == sizes
        assert torch.cat([p.rating for p in given]).sort().values.tolist() == ratings.rating.tolist()
        for part in given:
            assert (part.num_users, part.num_items, part.scale, part.user_ids) == (
                ratings.num_users, ratings.num_items, ratings.scale, ratings.user_ids)
            assert torch.equal(part.item * 10 + part.user, part.rating.long()), "a rating lost its user or its item"
            assert torch.equal(part.rating, part.rating.sort().values), "the order changed"


def test_the_seed_decides():
    ratings = some(500)
    first, again, other = (split(ratings, rng=seeded(s)).test.rating.tolist() for s in (1, 1, 2))
    assert first == again != other
    state = torch.random.get_rng_state()
    split(ratings, rng=seeded())
    assert torch.equal(state, torch.random.get_rng_state())


def test_every_rating_is_as_likely_to_be_tested_as_any_other():
    """400 splits by half of 100 ratings: each rating's count is Binomial(400, 1/2), sd 10. A fault-free split
    is failed with probability below 100 * P(|z| > 5.9) < 1e-6."""
    rng, counts = seeded(), torch.zeros(100)
    for _ in range(400):
        counts[split(some(100), (0.5, 0, 0.5), rng=rng).test.rating.long()] += 1
    assert float(((counts - 200) / 10).abs().max()) < 5.9


@pytest.mark.parametrize("text, sentence", [
    ("0.9", "three numbers from 0 to 1 that sum to 1"), ("0.9,0.1", "three numbers"), ("1,0,0,0", "three numbers"),
    ("0.9,0.2,0.1", "three numbers"), ("1.1,-0.1,0", "three numbers"), ("nan,0,1", "three numbers"),
    ("a,b,c", "train,validation,test, as in"), ("", "train,validation,test, as in"), ("0,0,1", "must not be 0"),
])
def test_fractions_that_are_none(text, sentence):
    with pytest.raises(InputError, match=sentence):
        parse_fractions(text)


def test_fractions():
    assert parse_fractions("0.9,0,0.1") == (0.9, 0.0, 0.1)
    assert parse_fractions(" .98, .01, .01") == (0.98, 0.01, 0.01)
    with pytest.raises(InputError, match=r"splitting 1 ratings by .* leaves none to train on"):
        split(some(1), (0.3, 0, 0.7), rng=seeded())


def test_a_subsample_keeps_the_numbering():
    ratings = some(1_000)
    part = subsample(ratings, 0.1, rng=seeded())
    assert len(part) == 100 and (part.num_users, part.num_items) == (ratings.num_users, ratings.num_items)
    assert len(part.rating.unique()) == 100 and torch.equal(part.rating, part.rating.sort().values)
    assert subsample(ratings, 1.0, rng=seeded()) is ratings
    assert len(subsample(ratings, 1e-9, rng=seeded())) == 1
    for bad in (0, -0.1, 1.5, math.nan):
        with pytest.raises(InputError, match="above 0 and at most 1"):
            subsample(ratings, bad, rng=seeded())


def test_given_files_share_one_numbering_and_unseen_users_are_kept(tmp_path):
    (tmp_path / "u1.base").write_text("1\t10\t5\t1\n1\t30\t3\t1\n4\t10\t2\t1\n")
    (tmp_path / "u1.test").write_text("4\t30\t1\t1\n2\t10\t4\t1\n9\t20\t4\t1\n9\t10\t3\t1\n")
    said: list[str] = []
    parts = read_split(tmp_path / "u1.base", tmp_path / "u1.test", say=said.append)
    assert parts.train.user_ids == parts.test.user_ids == (1, 2, 4, 9)
    assert parts.train.item_ids == parts.test.item_ids == (10, 20, 30)
    assert parts.train.user.tolist() == [0, 0, 2] and parts.train.item.tolist() == [0, 2, 0]
    assert parts.test.user.tolist() == [2, 1, 3, 3] and parts.test.item.tolist() == [2, 0, 1, 0]
    assert len(parts.validation) == 0 and parts.validation.num_users == parts.train.num_users == 4
    assert (parts.unseen_users, parts.unseen_items) == (2, 1)
    assert said == ["2 users of u1.test never occur in u1.base: predicted from the prior",
                    "1 item of u1.test never occurs in u1.base: predicted from the prior"]


def test_a_pair_in_both_files_is_refused(tmp_path):
    (tmp_path / "u1.base").write_text("1\t10\t5\n1\t30\t3\n")
    (tmp_path / "u1.test").write_text("4\t30\t1\n1\t30\t4\n")
    sentence = r"u1\.test, line 2: user 1 rates item 30 a second time, first in u1\.base, line 2"
    with pytest.raises(InputError, match=sentence):
        read_split(tmp_path / "u1.base", tmp_path / "u1.test")
    with pytest.raises(InputError, match=r"u1\.base, line 1: the rating 5 is off the scale 1 to 4"):
        read_split(tmp_path / "u1.base", tmp_path / "u1.test", scale=(1, 4))


def test_of_a_folder_a_hash_decides_whatever_the_order_in_which_ratings_came():
    ratings, shuffled = some(1_003), torch.randperm(1_003, generator=seeded(3))
    one, other = ratings.in_order(), ratings.take(shuffled).in_order()
    assert one.fingerprint == other.fingerprint != one.take(torch.arange(1, 1_003)).fingerprint
    parts, again = (split(each, (0.8, 0.15, 0.05), rng=seeded()) for each in (one, other))
    given = (parts.train, parts.validation, parts.test)
    assert [len(part) for part in given] == [803, 150, 50]
    assert torch.cat([part.rating for part in given]).sort().values.tolist() == ratings.rating.tolist()
    for part, same in zip(given, (again.train, again.validation, again.test), strict=True):
        assert torch.equal(part.rating, same.rating) and bool(((part.user * 200 + part.item).diff() > 0).all())
    assert not torch.equal(parts.test.rating, split(one, (0.8, 0.15, 0.05), rng=seeded(1)).test.rating)
    turns = Turns(one, seeded())
    assert [turns.nth(k) for k in range(1_003)] == turns.number.sort().values.tolist()
    assert len(subsample(one, 0.3, rng=seeded())) == 301


def test_means_by_user_are_means():
    ratings = some(1_003)
    assert math.isclose(ratings.in_order().mean, 501) and math.isclose(ratings.in_order().variance, (1_003**2 - 1) / 12)
