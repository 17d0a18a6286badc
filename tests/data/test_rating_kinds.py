"""The same forty ratings in every kind of file that people have, and every other kind named for what it is."""

import bz2
import gzip
import json
import lzma
import zipfile

import pandas as pd
import pytest

from data.ratings import Reading, load_ratings, read_ratings
from errors import InputError
from tests.support import ROOT

FORTY = [(u, i, float(1 + (3 * u + 7 * i) % 5)) for u in range(1, 9) for i in range(10, 17) if (u * i) % 4 != 3]
FRAME = pd.DataFrame(FORTY, columns=["user", "item", "rating"])
CSV = FRAME.to_csv(index=False)
PIVOT = FRAME.pivot(index="user", columns="item", values="rating")
LATIN = FRAME.assign(title="café")
CASES = ROOT.parent / "shared" / "cases" / "ratings"

BYTES = {
    "utf-16 of Excel": CSV.replace(",", "\t").encode("utf-16"), "utf-16-be": b"\xfe\xff" + CSV.encode("utf-16-be"),
    "utf-16 without mark": CSV.encode("utf-16-le"), "utf-32": CSV.encode("utf-32"),
    "latin-1": LATIN.to_csv(index=False).encode("latin-1"), "byte order mark": b"\xef\xbb\xbf" + CSV.encode(),
    "old Mac": CSV.replace("\n", "\r").encode(), "Windows": CSV.replace("\n", "\r\n").encode(),
    "gzip": gzip.compress(CSV.encode()), "bzip2": bz2.compress(CSV.encode()), "xz": lzma.compress(CSV.encode()),
    "gzip twice": gzip.compress(gzip.compress(CSV.encode())), "sep=": ("sep=;\n" + CSV.replace(",", ";")).encode(),
    "remarks": ("# of ours\n" + CSV).encode(), "pipe": CSV.replace(",", "|").encode(),
    "decimal commas": FRAME.to_csv(index=False, sep=";", decimal=",", float_format="%.2f").encode(),
    "decimal commas, tabs": FRAME.to_csv(index=False, sep="\t", decimal=",", float_format="%.1f").encode(),
    "decimal commas, quoted": FRAME.to_csv(index=False, decimal=",", float_format="%.2f").encode(),
    "floats for ids": FRAME.astype(float).to_csv(index=False).encode(),
    "rows with names, of R": (CSV.partition("\n")[0] + "\n" + FRAME.to_csv(header=False)).encode(),
    "an index": FRAME.to_csv().encode(), "blank last lines": (CSV + "   \n,,\n\n").encode(),
    "a blank line between": (CSV[:40] + CSV[40:].replace("\n", "\n \n", 1)).encode(),
    "line ends in quotes": FRAME.assign(text='a "b"\nc, d').to_csv(index=False).encode(),
    "a mark of inches": FRAME.assign(text='12" disco').to_csv(index=False, sep="\t", quoting=3).encode(),
    "MatrixMarket": ("%%MatrixMarket matrix coordinate real general\n% of ours\n"
                     f"8 16 {len(FORTY)}\n" + "".join(f"{u} {i} {r}\n" for u, i, r in FORTY)).encode(),
    "MatrixMarket, array": ("%%MatrixMarket matrix array real general\n% of ours\n8 16\n" + "".join(
        f"{({(u, i): r for u, i, r in FORTY}).get((u, i), 0)}\n" for i in range(1, 17) for u in range(1, 9))).encode(),
    "a matrix": PIVOT.to_csv().encode(), "a matrix with NaN": PIVOT.to_csv(na_rep="NaN").encode(),
    "a matrix of students": PIVOT.rename_axis("Student").to_csv().encode(),
    "a matrix with 99": PIVOT.fillna(99).to_csv().encode(),
    "a matrix, decimal commas": PIVOT.to_csv(sep=";", decimal=",").encode(),
}


def ids(found):
    return [(found.user_ids[u], found.item_ids[i], r) for u, i, r in zip(
        found.user.tolist(), found.item.tolist(), found.rating.tolist(), strict=True)]


@pytest.mark.parametrize("kind", BYTES)
def test_every_kind_of_file_holds_the_same(kind, tmp_path):
    (tmp_path / "r").write_bytes(BYTES[kind])
    assert ids(read_ratings(tmp_path / "r")) == FORTY


def test_archives_and_folders(tmp_path):
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.writestr("dir/whatever.txt", CSV)
        archive.writestr("__MACOSX/._whatever.txt", "x")
    (tmp_path / "parts").mkdir()
    FRAME[:20].to_parquet(tmp_path / "parts" / "part-0.parquet")
    FRAME[20:].to_parquet(tmp_path / "parts" / "part-1.parquet")
    (tmp_path / "parts" / "_SUCCESS").touch()
    PIVOT.rename(columns=str).to_parquet(tmp_path / "pivot.parquet")
    for user, ratings in FRAME.groupby("user"):
        (tmp_path / "users" / f"user={user}").mkdir(parents=True)
        ratings[["item", "rating"]].to_parquet(tmp_path / "users" / f"user={user}" / "part-0.parquet", index=False)
    for name in ("one.zip", "parts", "pivot.parquet", "users"):
        assert ids(read_ratings(tmp_path / name)) == FORTY


@pytest.mark.parametrize("last", ["\n", "", "\n\n"])
def test_netflix_prize_data(last, tmp_path):
    """A line with the movie, then its customers; the lines that a sentence names are those of the file."""
    text = "\n".join([line for item in range(10, 17) for line in (f"{item}:", *(
        f"{u},{r:.0f},2005-09-{u:02d}" for u, i, r in FORTY if i == item))]) + last
    (tmp_path / "combined_data_1.txt").write_text(text)
    said: list[str] = []
    found = read_ratings(tmp_path / "combined_data_1.txt", how=Reading(say=said.append, times=True))
    assert sorted(ids(found)) == FORTY and found.time is not None
    assert set((found.time // 86400 - found.user).tolist()) == {13027}  # 1 September 2005, and user 1 is number 0
    assert "user = column 1 'CustomerID', item = column 4 'MovieID', rating = column 2 'Rating'" in said[0]
    lines = ("\n" + text.replace(",5,", ",x,", 1)).split("\n")
    (tmp_path / "bad").write_text("\n".join(lines))
    wrong = next(number for number, line in enumerate(lines, 1) if ",x," in line)
    with pytest.raises(InputError, match=f"bad, line {wrong}: 'x' in column 2 'Rating' stands where a number"):
        read_ratings(tmp_path / "bad")


HEADERS = {  # the columns of a data set, and which of them are taken
    "userId,movieId,rating,timestamp": "userId,movieId,rating",
    "userID,movieID,rating,date_day": "userID,movieID,rating", "user,movie,movieId,rating": "user,movieId,rating",
    "reviewerID,asin,overall,unixReviewTime": "reviewerID,asin,overall",
    "rating,title,parent_asin,user_id,timestamp": "user_id,parent_asin,rating",
    "Id,ProductId,UserId,ProfileName,Score,Time": "UserId,ProductId,Score",
    "User-ID,ISBN,Book-Rating": "User-ID,ISBN,Book-Rating", "user_id,anime_id,rating": "user_id,anime_id,rating",
    "username,anime_id,my_watched_episodes,my_score": "username,anime_id,my_score",
    "userID,artistID,weight": "userID,artistID,weight", "user_id,book_id,is_read,rating": "user_id,book_id,rating",
    "review_id,user_id,business_id,stars": "user_id,business_id,stars",
    "user,paperId,title,rating": "user,paperId,rating",
    "customer_id,review_id,product_id,product_title,star_rating": "customer_id,product_id,star_rating",
}


@pytest.mark.parametrize("header", HEADERS)
def test_known_headers(header, tmp_path):
    names, taken = header.split(","), HEADERS[header].split(",")
    said: list[str] = []
    rows = [["7"] * len(names) for _ in FORTY]
    for row, triple in zip(rows, FORTY, strict=True):
        for name, value in zip(taken, triple, strict=True):
            row[names.index(name)] = str(value)
    (tmp_path / "r.csv").write_text("\n".join(map(",".join, [names, *rows])))
    assert ids(read_ratings(tmp_path / "r.csv", how=Reading(say=said.append))) == FORTY
    assert all(f"column {names.index(name) + 1} '{name}'" in said[0] for name in taken)
    assert "the first rating: user 1, item 10, 4" in said[0]


def test_columns_by_word(tmp_path):
    (tmp_path / "five.csv").write_text("".join(f"{k},{i},{r},{u},1\n" for k, (u, i, r) in enumerate(FORTY)))
    with pytest.raises(InputError, match=r"has 5 column\(s\); expected .* --columns user="):
        read_ratings(tmp_path / "five.csv")
    assert ids(read_ratings(tmp_path / "five.csv", how=Reading("user=4,item=2,rating=3"))) == FORTY
    (tmp_path / "named.csv").write_text("who,what,how\n" + CSV.partition("\n")[2])
    assert ids(read_ratings(tmp_path / "named.csv", how=Reading("user=Who, item=what, rating=how"))) == FORTY
    for words, sentence in [
        ("user=who,item=what", "--columns names no rating"), ("user=who,item=what,rating=x", "has no column 'x'"),
        ("user=who,item=who,rating=how", "named for two things"), ("who,what,how", "is like user=reviewer"),
        ("user=1,item=2,rating=4", "has no column '4': its columns are who, what, how")]:
        with pytest.raises(InputError, match=sentence):
            read_ratings(tmp_path / "named.csv", how=Reading(words))


REFUSED = {
    "an index for the user": ("".join(f"{k},{u},{i},{r}\n" for k, (u, i, r) in enumerate(FORTY)),
                              r"every user has one rating \(they look like the numbers of the rows\); taken were user"),
    "a time for the user": ("".join(f"{964982703 + k},{u},{i},{r}\n" for k, (u, i, r) in enumerate(FORTY)),
                            "every user has one rating; taken were user = column 1, item = column 2"),
    "a time for the rating": ("".join(f"{u},{i},{964982703 + k}\n" for k, (u, i, _) in enumerate(FORTY)),
                              "line 1: the rating 964982703 looks like a time; taken were .* rating = column 3"),
    "a date for the rating": ("1,2,2005-09-06\n", "line 1: '2005-09-06' in column 3 stands where .* --columns"),
    "thumbs in words": ("user,item,rating\n1,7,like\n1,8,dislike\n", "column 3 'rating' holds words, dislike, like: "
                        "write a number for each, the better the higher"),
    "words that fill a page": ("".join(f"{k},7,{chr(97 + k) * 20}\n" for k in range(20)),
                               r"and 1\d more: write a number"),
    "school grades": ("1,7,B\n1,8,A\n2,8,C\n", "column 3 holds words, A, B, C: write a number for each, the better "
                      "the higher; if another column is meant"),
    "a name before the plays": ("ab,x1,Muse,7\nab,x2,U2,8\n", "line 1: column 3 holds words, Muse, U2: .* --columns"),
    "JSON": (json.dumps([{"user": 1}]), "is JSON: save it as CSV"), "HTML": ("<!DOCTYPE html><p>", "is HTML"),
    "XML": ("<?xml version='1.0'?>", "is XML"),
    "a pointer": ("version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
    "Excel": ("\xd0\xcf\x11\xe0", "is an Excel workbook"), "PDF": ("%PDF-1.5", "is a PDF"),
    "pickle": ("\x80\x04\x95", "is a Python pickle"), "noise": ("".join(map(chr, range(256))), "is not text"),
    "escapes": ("user,item,rating\n1,2,\x1b[31mgood" + "x" * 400, r"line 2: '\?\[31mgoodx+\.\.\.' in column 3"),
    "a pattern": ("%%MatrixMarket matrix coordinate pattern general\n1 1 1\n1 1\n", "says who rated what"),
    "of complex numbers": ("%%MatrixMarket matrix coordinate complex general\n1 1 1\n1 1 2 0\n", "but not 'matrix"),
    "an array cut short": ("%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n", "2 x 2 values, and has 3"),
    "an array of words": ("%%MatrixMarket matrix array real general\n1 1\ngood\n", "'good' stands where a number"),
    "an array of no size": ("%%MatrixMarket matrix array real general\n1\n", "array says rows and columns"),
    "Netflix's questions": ("1:\n1046323,2005-12-19\n2:\n7,2005-12-23\n", "has no ratings: give a file like combined"),
    "zstd": ("\x28\xb5\x2f\xfdabc", "packed by zstd: unpack it"),
    "cut short": ("%%MatrixMarket matrix coordinate real general\n2 2 3\n1 1 5\n", "has 3 entries, and has 1"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_read_is_named(kind, tmp_path):
    text, sentence = REFUSED[kind]
    (tmp_path / "bad").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=sentence) as caught:
        read_ratings(tmp_path / "bad")
    assert len(str(caught.value)) <= 300 and str(caught.value).isprintable()


def test_a_matrix_of_stars_is_not_jesters(tmp_path):
    """Nor is one of 0 to 10, though it starts with the numbers of ratings; one that has negative ones is."""
    rows = ["3,5,99,4,3", "2,99,1,99,5", "3,4,99,2,1"]
    for name, text, jester in [("stars", "\n".join(rows), False), ("ten", "\n".join(rows).replace("5", "10"), False),
                               ("jester", "\n".join(rows).replace("5", "-9.1"), True)]:
        (tmp_path / name).write_text(text)
        said: list[str] = []
        found = load_ratings(tmp_path / name, say=said.append)
        assert (found.scale == (1, 5)) == jester == any("mapped" in line for line in said)
    assert "a matrix of 3 users, by row, counted from 1, and 4 items" in said[0]


def test_99_is_a_rating_among_its_like(tmp_path):
    (tmp_path / "r.csv").write_text("user,j1,j2,j3,j4\n1,99,98,,45\n2,100,,3,99\n")
    assert sorted(read_ratings(tmp_path / "r.csv").rating.tolist()) == [3, 45, 98, 99, 99, 100]


def test_what_says_that_nothing_was_rated(tmp_path):
    said: list[str] = []
    (tmp_path / "anime.csv").write_text("user_id,anime_id,rating\n1,20,-1\n1,24,7\n2,20,8\n2,24,9\n")
    assert read_ratings(tmp_path / "anime.csv", how=Reading(say=said.append)).rating.tolist() == [7, 8, 9]
    assert "1 rows with a rating of -1 are left out" in said[0]
    (tmp_path / "goodreads.csv").write_text("user_id,book_id,is_read,rating\n1,20,1,0\n1,24,1,3\n2,20,1,4\n2,24,1,5\n")
    assert read_ratings(tmp_path / "goodreads.csv", how=Reading(say=said.append)).rating.tolist() == [3, 4, 5]
    kept = read_ratings(tmp_path / "anime.csv", how=Reading("user=user_id,item=anime_id,rating=rating"))
    assert kept.rating.tolist() == [-1, 7, 8, 9]


def test_amazons_file_without_a_header(tmp_path):
    """Of 2014 user, item; of 2018 item, user: https://nijianmo.github.io/amazon/ ("item, user, rating, timestamp")."""
    rows = [(f"A{u:013d}", f"B{i:09d}", 1 + (u + i) % 5) for u in range(6) for i in range(4)]
    said: list[str] = []
    for name, order in (("first", (0, 1)), ("second", (1, 0))):
        (tmp_path / name).write_text("".join(f"{r[order[0]]},{r[order[1]]},{r[2]}.0,13{k:08d}\n"
                                             for k, r in enumerate(rows)))
        found = read_ratings(tmp_path / name, how=Reading(say=said.append))
        assert sorted(ids(found)) == sorted(rows)
    assert sum("the item before the user" in line for line in said) == 1


@pytest.mark.skipif(not CASES.is_dir(), reason="needs shared/cases/ratings beside the repository")
@pytest.mark.parametrize(("name", "right"), [
    ("str", 42), ("lz", 42), ("fid", 42), ("amb3", 42), ("w2", 42), ("w9", 42), ("bl3", 42), ("utf16", 42),
    ("5n", r"5 column\(s\)"), ("idx2", "every user has one rating")])
def test_the_cases_of_others(name, right):
    path = CASES / f"{name}.csv"
    if isinstance(right, str):
        with pytest.raises(InputError, match=right):
            read_ratings(path)
    else:
        found = load_ratings(path, say=lambda line: None)
        assert len(found) == right and (float(found.rating.min()), float(found.rating.max())) == (1, 5)
