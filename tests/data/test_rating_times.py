"""When ratings were given: read where it is asked for, in seconds, from numbers and dates; kept by what is taken."""

import math
from datetime import UTC, datetime

import pandas as pd
import pytest
import torch

from data.rating_files import Reading, read_ratings
from data.rating_time import instant
from data.ratings import load_ratings, read_split, split
from errors import InputError
from models.ratings import Ratings
from ranks.part import Part

NOON = int(datetime(2014, 5, 3, 12, tzinfo=UTC).timestamp())
WRITTEN = {
    "seconds": [NOON, NOON + 60, NOON - 86400],
    "milliseconds": [1000 * NOON + 999, 1000 * (NOON + 60), 1000 * NOON - 86400000],
    "nanoseconds": [10**9 * NOON, 10**9 * (NOON + 60), 10**9 * (NOON - 86400)],
    "floats": [f"{NOON}.75", f"{NOON + 60}.0", f"{NOON - 86400}.5"],
    "dates": ["2014-05-03T12:00:00Z", "2014-05-03 14:01+02:00", "2014-05-02 12:00:00.000"],
}


def written(path, times, users=("7", "3", "7"), items=("50", "9", "9")):
    path.write_text("user,item,rating,timestamp\n" + "".join(
        f"{u},{i},{r},{t}\n" for u, i, r, t in zip(users, items, (4, 2.5, 5), times, strict=True)))
    return path


@pytest.mark.parametrize("form", WRITTEN)
def test_times_are_seconds_whatever_they_are_written_in(form, tmp_path):
    said: list[str] = []
    path = written(tmp_path / "r.csv", WRITTEN[form])
    ratings = read_ratings(path, how=Reading(say=said.append, times=True))
    assert ratings.time is not None and ratings.time.tolist() == [NOON, NOON + 60, NOON - 86400]
    assert "r.csv: times from 2014-05-02 to 2014-05-03" in said
    assert read_ratings(path).time is None  # nobody asked


@pytest.mark.parametrize("form", ["%m %d, %Y", "%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d-%b-%Y", "%Y%m%d", "%Y-%m-%d"])
def test_days_as_people_write_them(form):
    """2010-08-04, in Amazon's form with and without its naught too; what may be either way round is no day."""
    day = datetime(2010, 8, 4, tzinfo=UTC)
    assert instant(day.strftime(form)) == instant("08 4, 2010") == day.timestamp()
    assert instant("Sat Jan 13 13:38:25 -0800 2007") == datetime(2007, 1, 13, 21, 38, 25, tzinfo=UTC).timestamp()
    assert math.isnan(instant("08/04/2010")) and instant("20101304") == 20101304  # there is no month 13


def test_times_of_parquet(tmp_path):
    frame = pd.DataFrame({"user": [7, 3, 7], "item": [50, 9, 9], "rating": [4.0, 2.5, 5.0]})
    for kind in ("datetime64[ns]", "datetime64[s, UTC]"):
        stamps = pd.Series(pd.to_datetime([NOON, NOON + 60, NOON - 86400], unit="s", utc="UTC" in kind)).astype(kind)
        frame.assign(timestamp=stamps).to_parquet(tmp_path / "r.parquet")
        time = load_ratings(tmp_path / "r.parquet", say=lambda line: None, times=True).time
        assert time is not None and time.tolist() == [NOON, NOON + 60, NOON - 86400]


@pytest.mark.parametrize(("time", "why"), [
    ("soon", "line 3: 'soon' in column 4 'timestamp' is no time; expected are seconds since 1970, or dates like"),
    ("", "line 3 has no time in column 4 'timestamp'; expected"),
    ("1e40", "'1e40' in column 4 'timestamp' is no time"), ("nan", "'nan' in column 4 'timestamp' is no time")])
def test_what_is_no_time_is_a_sentence(time, why, tmp_path):
    path = written(tmp_path / "r.csv", [NOON, time, NOON])
    with pytest.raises(InputError, match=why):
        read_ratings(path, how=Reading(times=True))
    assert len(read_ratings(path)) == 3  # where nobody asks nobody is refused


def test_times_stay_with_their_ratings(tmp_path):
    """Through the last of a pair, a split, parts of the users, and two files; facts tell them from others."""
    twice = written(tmp_path / "twice.csv", [NOON, 5, 9], ("7", "3", "7"), ("50", "9", "50"))
    assert _by_rating(read_ratings(twice, how=Reading(duplicates="last", times=True))) == {4.0: NOON, 2.5: 5}
    assert _by_rating(read_ratings(twice, how=Reading(duplicates="mean", times=True))) == {4.5: NOON, 2.5: 5}
    ratings = read_ratings(written(tmp_path / "a.csv", [1, 2, 3]), how=Reading(times=True))
    whole = {4.0: 1, 2.5: 2, 5.0: 3}
    parts = split(ratings, (0.67, 0, 0.33), rng=torch.Generator().manual_seed(0))
    assert _by_rating(parts.train) | _by_rating(parts.test) == whole and len(parts.test) == 1
    assert _by_rating(ratings.by_user.to("cpu")) == whole
    assert _by_rating(ratings.of(Part((0, 1, 2), 0))) | _by_rating(ratings.of(Part((0, 1, 2), 1))) == whole
    assert ratings.facts["fingerprint"] == ratings.untimed.facts["fingerprint"]  # what is predicted is the same
    later = read_ratings(written(tmp_path / "b.csv", [1, 2, 4]), how=Reading(times=True))
    assert len({str(each.facts) for each in (ratings, later, ratings.untimed)}) == 3
    test = tmp_path / "test.csv"
    test.write_text("user,item,rating\n3,50,1\n")
    given = read_split(tmp_path / "a.csv", test, say=lambda line: None, how=Reading(times=True))
    assert _by_rating(given.train) == whole and given.test.time is None


def _by_rating(ratings: Ratings) -> dict[float, int]:
    assert ratings.time is not None
    return dict(zip(ratings.rating.tolist(), ratings.time.tolist(), strict=True))


def test_as_many_times_as_ratings():
    one = torch.zeros(1, dtype=torch.int64)
    for time in (torch.zeros(2, dtype=torch.int64), torch.zeros(1)):
        with pytest.raises(InputError, match="the times of 1 ratings must be as many int64"):
            Ratings(one, one, one.double(), 1, 1, time=time)
