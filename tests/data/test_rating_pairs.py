"""A pair that is rated twice, and the range by which Jester's ratings are known."""

import pytest
import torch

from data.jester import looks_like_jester
from data.rating_files import Reading, read_ratings
from data.rating_matrix import JESTER_SCALE
from errors import InputError
from models.ratings import Ratings

TIMED = "user,item,rating,timestamp\n1,1,5,300\n2,1,3,50\n1,1,2,100\n1,2,4,7\n"
UNTIMED = "user,item,rating\n1,1,5\n2,1,3\n1,1,2\n1,2,4\n"


@pytest.mark.parametrize(("text", "how", "rating", "says"), [
    (TIMED, "last", 5.0, "of each pair the last is taken, by time"),
    (UNTIMED, "last", 2.0, "of each pair the last is taken"),
    (TIMED, "mean", 3.5, "their mean is taken"),
])
def test_of_two_ratings_of_a_pair(tmp_path, text, how, rating, says):
    """5 stars at a time of 300, and further down 2 at a time of 100."""
    (tmp_path / "twice.csv").write_text(text)
    said: list[str] = []
    found = read_ratings(tmp_path / "twice.csv", None, Reading(None, how, said.append))
    pairs = zip(found.user.tolist(), found.item.tolist(), strict=True)
    stars = dict(zip(pairs, found.rating.tolist(), strict=True))
    assert stars == {(0, 0): rating, (1, 0): 3.0, (0, 1): 4.0}
    assert f"twice.csv: 1 rating repeats a pair; {says}" in said


@pytest.mark.parametrize("word", ["", "soon", "03/05/2014"])
def test_a_time_that_cannot_be_read_is_refused_where_it_decides(tmp_path, word):
    """Of a pair that is rated once it decides nothing, and is not read."""
    last = Reading(None, "last", lambda line: None)
    (tmp_path / "idle.csv").write_text(TIMED.replace(",7\n", f",{word}\n"))
    assert read_ratings(tmp_path / "idle.csv", None, last).rating.tolist() == [5.0, 3.0, 4.0]
    (tmp_path / "twice.csv").write_text(TIMED.replace(",100\n", f",{word}\n"))
    with pytest.raises(InputError, match=r"twice.csv, line 4.* no time.*; expected are seconds since 1970, or dates"):
        read_ratings(tmp_path / "twice.csv", None, last)
    assert read_ratings(tmp_path / "twice.csv", None, Reading(None, "mean", lambda line: None)).rating[0] == 3.5


def test_twice_is_refused_unless_it_is_said(tmp_path):
    (tmp_path / "twice.csv").write_text(UNTIMED)
    with pytest.raises(InputError, match="user 1 rates item 1 a second time, first in"):
        read_ratings(tmp_path / "twice.csv", None, Reading(None, "refuse", lambda line: None))


@pytest.mark.parametrize(("low", "high", "is_jesters"), [
    (-9.5, 9.2, True), (-10.0, 10.0, True), (-5.1, 5.1, True),
    (-5.0, 9.0, False), (-9.0, 5.0, False), (-1.0, 8.0, False), (-8.0, 1.0, False), (1.0, 10.0, False),
    (-11.0, 9.0, False), (-9.0, 11.0, False)])
def test_jesters_ratings_use_more_than_half_of_both_sides(low, high, is_jesters):
    none = torch.zeros(2, dtype=torch.int64)
    ratings = Ratings(none, torch.tensor([0, 1]), torch.tensor([low, high]).double(), 1, 2)
    assert looks_like_jester(ratings) == is_jesters


def test_a_file_that_says_so_is_jesters():
    none = torch.zeros(1, dtype=torch.int64)
    few = Ratings(none, none, torch.tensor([-0.5]).double(), 1, 1, JESTER_SCALE)
    assert looks_like_jester(few) and not looks_like_jester(few.take(torch.tensor([], dtype=torch.int64)))


def test_thumbs_as_words_are_one_and_nothing(tmp_path):
    (tmp_path / "thumbs.csv").write_text("user,item,liked\na,x,True\na,y,False\nb,x,FALSE\nb,y,true\nc,x,True\n")
    ratings = read_ratings(tmp_path / "thumbs.csv", how=Reading(columns="user=user,item=item,rating=liked"))
    assert ratings.rating.tolist() == [1, 0, 0, 1, 1]
