"""Ids are labels: of whatever kind, they come back as they were written, and no two that differ become one."""

import uuid

import pandas as pd
import pytest

from data.rating_pairs import DUPLICATES
from data.ratings import Reading, read_ratings, read_split
from errors import InputError
from inference.result import Result
from run import guarded

FORTY = [(u, i, float(1 + (3 * u + 7 * i) % 5)) for u in range(8) for i in range(7) if (u * i) % 4 != 3]
UUIDS = [str(uuid.UUID(int=(k + 1) * 2**100 + 17)) for k in range(8)]
NAMED = {  # how user u is written, and which id that is
    "text": lambda u: (f"user_{u}", f"user_{u}"), "uuid": lambda u: (UUIDS[u], UUIDS[u]),
    "leading noughts": lambda u: (f"{u:05}", f"{u:05}"), "whole floats": lambda u: (f"{u}.0", u),
    "uint64": lambda u: (str(2**64 - 1 - u), 2**64 - 1 - u), "negative": lambda u: (str(-u), -u),
    "beyond uint64": lambda u: (str(10**25 + u), str(10**25 + u)),
    "exponents": lambda u: (f"{u + 1}e+05", (u + 1) * 10**5),
    "hexadecimal": lambda u: (f"{u}e{u}a", f"{u}e{u}a"), "short hexadecimal": lambda u: (f"{u + 1}e{90 * u}",) * 2,
    "accents": lambda u: (f"José {u}", f"José {u}"),
    "a mixture": lambda u: (("7", "007", "7.0", "seven", "1e1", "nan", "-0", "+7")[u],) * 2,
}


@pytest.mark.parametrize("kind", NAMED)
def test_ids_come_back_as_they_were(kind, tmp_path):
    of = NAMED[kind]
    (tmp_path / "r.csv").write_text("user,item,rating\n" + "".join(f"{of(u)[0]},{i},{r}\n" for u, i, r in FORTY))
    found = read_ratings(tmp_path / "r.csv")
    assert found.user_ids is not None and found.item_ids is not None
    assert found.num_users == len({of(u)[1] for u, _, _ in FORTY})
    assert [(found.user_ids[u], found.item_ids[i], r) for u, i, r in zip(
        found.user.tolist(), found.item.tolist(), found.rating.tolist(), strict=True)] == [
        (of(u)[1], i, r) for u, i, r in FORTY]


@pytest.mark.parametrize("kind", ["int64", "uint64", "float64", "str", "category", "string"])
def test_parquet_has_the_ids_of_a_csv(kind, tmp_path):
    frame = pd.DataFrame(FORTY, columns=["user_id", "item_id", "rating"])
    if kind == "uint64":
        frame["user_id"] = [2**64 - 8 + u for u in frame.user_id]
    frame.astype({"user_id": kind}).to_parquet(tmp_path / "r.parquet")
    frame.to_csv(tmp_path / "r.csv", index=False)
    one, two = read_ratings(tmp_path / "r.parquet"), read_ratings(tmp_path / "r.csv")
    assert one.user_ids == two.user_ids and one.fingerprint == two.fingerprint


def test_seven_and_007_are_two_across_two_files(tmp_path):
    (tmp_path / "a").write_text("7,1,5\n7,2,3\n8,1,2\n")
    (tmp_path / "b").write_text("007,1,5\n7,3,3\n")
    parts = read_split(tmp_path / "a", tmp_path / "b", say=lambda line: None)
    assert parts.train.user_ids == ("007", "7", "8") and parts.test.user.tolist() == [0, 1]


def test_ids_are_in_what_is_shown_and_written(tmp_path, capsys):
    rows = [(f"0{u}", f"it[{i}]" + "\x07" * (i == 2 and u == 3), r) for u, i, r in FORTY]
    (tmp_path / "r.csv").write_text("user,item,rating\n" + "".join(f"{u},{i},{r}\n" for u, i, r in rows))
    words = ["--problem", "3", "--ratings", str(tmp_path / "r.csv"), "--bare", "--kernel", "row_gibbs", "--sweeps", "5",
             "--split", "0.8,0,0.2", "--out", str(tmp_path / "out"), "--recommend", "03"]
    assert guarded(words) == 0
    said = capsys.readouterr().out
    assert "For user 03" in said and "it[" in said and "\x07" not in said
    found = Result.load(tmp_path / "out" / "row_gibbs.nc")
    import arviz
    expected = arviz.from_netcdf(tmp_path / "out" / "row_gibbs.nc")["expected"]
    assert set(expected.ask_user.values.tolist()) == {"03"}
    assert len(expected.test_user) == len(found.expected["test_mean"])
    rated = {(u, i) for u, i, _ in rows}
    assert set(zip(expected.test_user.values.tolist(), expected.test_item.values.tolist(), strict=True)) <= rated


def test_duplicates(tmp_path):
    (tmp_path / "r.csv").write_text("user,item,rating,timestamp\n1,1,5,20\n1,2,3,3\n1,1,1,10\n2,1,2,2\n1,1,3,15\n")
    assert DUPLICATES == ("refuse", "last", "mean")
    with pytest.raises(InputError, match=r"line 4: user 1 rates item 1 a second time, first in r\.csv, line 2; 2"):
        read_ratings(tmp_path / "r.csv")
    said: list[str] = []
    by_time = Reading(duplicates="last", say=said.append)
    assert read_ratings(tmp_path / "r.csv", how=by_time).rating.tolist() == [5, 3, 2]
    assert "2 ratings repeat a pair; of each pair the last is taken, by time" in said[-1]
    by_order = Reading("user=1,item=2,rating=3", "last")
    assert read_ratings(tmp_path / "r.csv", how=by_order).rating.tolist() == [3, 2, 3]
    assert read_ratings(tmp_path / "r.csv", how=Reading(duplicates="mean")).rating.tolist() == [3, 3, 2]
    with pytest.raises(InputError, match="unknown --duplicates 'first'"):
        read_ratings(tmp_path / "r.csv", how=Reading(duplicates="first"))
