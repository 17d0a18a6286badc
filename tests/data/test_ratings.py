"""Reading ratings: every layout against the same triples written out by hand, and a sentence for every bad file."""

import gzip
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import torch

from data.ratings import Ratings, load_ratings, read_ratings, to_stars
from errors import InputError
from tests.support import OUTSIDE

JESTER_5K = OUTSIDE / "jester-5k.csv.gz"

# user, item, rating as in the files; users 7, 3, 12 are numbered 1, 0, 2 and items 50, 9 are 1, 0
TRIPLES = [(7, 50, 4.0), (3, 9, 2.5), (12, 50, 1.0), (7, 9, 5.0)]
LAYOUTS = {
    "comma, header": "user,item,rating\n7,50,4\n3,9,2.5\n12,50,1\n7,9,5\n",
    "comma": "7,50,4\n3,9,2.5\n12,50,1\n7,9,5\n",
    "comma and blank": "7, 50, 4\n3, 9, 2.5\n12, 50, 1\n7, 9, 5",
    "semicolon, quoted": '"User-ID";"Item-ID";"Rating"\r\n"7";"50";"4"\r\n"3";"9";"2.5"\r\n"12";"50";"1"\r\n7;9;5\r\n',
    "course": "7 50 4\n3 9 2.5\n12 50 1\n7 9 5\n",
    "course, ragged blanks": "\n  7   50 4\n3 9    2.5 \n\n12 50 1\n \n7 9 5\n",
    "u.data": "7\t50\t4\t881250949\n3\t9\t2.5\t891717742\n12\t50\t1\t878887116\n7\t9\t5\t880606923\n",
    "ratings.csv": "userId,movieId,rating,timestamp\n7,50,4.0,964982703\n3,9,2.5,964981247\n12,50,1.0,9\n7,9,5.0,9\n",
    "ratings.dat": "7::50::4::978300760\n3::9::2.5::978302109\n12::50::1::978301968\n7::9::5::978300275\n",
    "jester_ratings.dat": "7\t\t50\t\t4\n3\t\t9\t\t2.5\n12\t\t50\t\t1\n7\t\t9\t\t5\n",
    "another order": 'rating,time,title,item_id,user_id\n4,1,a,50,7\n2.5,1,"b, c",9,3\n1,1,,50,12\n5,1,d,9,7\n',
    "written by pandas": ",user,item,rating\n0,7,50,4\n1,3,9,2.5\n2,12,50,1\n3,7,9,5\n",
    "byte order mark": "\ufeffuser,item,rating\n7,50,4\n3,9,2.5\n12,50,1\n7,9,5\n",
}


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def triples(ratings: Ratings) -> list[tuple[int, int, float]]:
    """Back to the ids of the file."""
    assert ratings.user_ids is not None and ratings.item_ids is not None
    return [(ratings.user_ids[u], ratings.item_ids[i], r)
            for u, i, r in zip(ratings.user.tolist(), ratings.item.tolist(), ratings.rating.tolist(), strict=True)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_triples(layout, tmp_path):
    ratings = read_ratings(write(tmp_path / "ratings", LAYOUTS[layout]))
    assert triples(ratings) == TRIPLES
    assert ratings.user.tolist() == [1, 0, 2, 1] and ratings.item.tolist() == [1, 0, 1, 0]
    assert (ratings.num_users, ratings.num_items) == (3, 2)
    assert ratings.user.dtype == ratings.item.dtype == torch.int64 and ratings.rating.dtype == torch.float64


def test_gzip_zip_and_parquet(tmp_path):
    (tmp_path / "course.dat.gz").write_bytes(gzip.compress(LAYOUTS["course"].encode()))
    with zipfile.ZipFile(tmp_path / "ml.zip", "w") as archive:
        archive.writestr("ml-latest/ratings.csv", LAYOUTS["ratings.csv"])
        archive.writestr("ml-latest/movies.csv", "movieId,title\n9,x\n")
    frame = pd.DataFrame(TRIPLES, columns=["userId", "movieId", "rating"])
    frame.to_parquet(tmp_path / "r.parquet")
    frame.astype({"userId": float}).to_parquet(tmp_path / "float_ids.parquet")
    for name in ("course.dat.gz", "ml.zip", "r.parquet", "float_ids.parquet"):
        assert triples(read_ratings(tmp_path / name)) == TRIPLES


def test_ids_far_apart_are_numbered_without_gaps(tmp_path):
    ratings = read_ratings(write(tmp_path / "r.csv", "900000000000000000,5,1\n0,5,2\n77,6,3\n"))
    assert ratings.user.tolist() == [2, 0, 1] and ratings.user_ids == (0, 77, 900000000000000000)


WIDE = [(1, 1, -7.82), (1, 3, 9.0), (2, 3, 4.08), (3, 1, 0.0), (3, 2, -2.5), (3, 4, 1.0)]


@pytest.mark.parametrize("separator", [",", ";", " ", "\t"])
def test_jesters_own_matrix_starts_with_the_number_of_ratings(separator, tmp_path):
    rows = ["2,-7.82,99,9,99", "1,99,99,4.08,99", "3,0,-2.5,99,1"]
    ratings = read_ratings(write(tmp_path / "wide", "\n".join(rows).replace(",", separator)))
    assert triples(ratings) == WIDE
    assert ratings.scale == (-10, 10)


def test_a_matrix_without_counts_and_one_with_a_header(tmp_path):
    rows = ["-7.82,99,9,99,99", "99,99,4.08,99,99", "0,-2.5,99,1,99"]
    plain = read_ratings(write(tmp_path / "plain.csv", "\n".join(rows)))
    assert triples(plain) == WIDE and plain.scale is None
    headed = "user,joke1,joke2,joke3,joke4\n1,-7.82,99,9,99\n2,99,99,4.08,99\n3,0,-2.5,99,1\n"
    assert triples(read_ratings(write(tmp_path / "headed.csv", headed))) == [(u, f"joke{i}", r) for u, i, r in WIDE]


def test_a_matrix_of_thumbs_in_words(tmp_path):
    ratings = read_ratings(write(tmp_path / "thumbs.csv", ",x,y,z\na,TRUE,,false\nb,,true,\nc,,,\n"))
    assert triples(ratings) == [("a", "x", 1.0), ("a", "z", 0.0), ("b", "y", 1.0)]


BAD = {
    "empty": ("", "is empty; expected the columns user, item, rating"),
    "blank": ("\n  \n", "is empty"),
    "only a header": ("user,item,rating\n", "has a header but no ratings"),
    "two columns": ("1,2\n3,4\n", r"has 2 column\(s\); expected"),
    "prose": ("Once upon a time\nthere was\n", "line 2 has 2|has the columns Once"),
    "unknown header": ("person,film,opinion\n1,2,3\n", "has the columns person, film, opinion; expected"),
    "a header of five columns": ("who,what,how,when,why\n1,2,3,4,5\n", "has the columns who, what, how, when, why"),
    "ragged": ("user,item,rating\n1,2,3\n1,3\n", r"bad, line 3 has 2 column\(s\), the first line has 3"),
    "text for a rating": ("1,2,3\n\n1,3,good\n", "bad, line 3: 'good' in column 3 stands where a number belongs"),
    "nothing for a rating": ("1,2,3\n1,3,\n", "bad, line 2 has no rating in column 3: leave out such lines"),
    "a word for nothing": ("user,item,rating\n1,2,NA\n1,3,4\n", "line 2: 'NA' in column 3 'rating' stands where a "
                           "number belongs; a rating is a number, or true or false in every line; leave out lines"),
    "a word for nothing and an empty line": ("user,item,rating\n1,2,3\n,,\n1,3,NA\n", "bad, line 4 has no rating in"),
    "nan for nothing and an empty line": ("user,item,rating\n1,2,nan\n,,\n1,3,4\n", "bad, line 2 has no rating in"),
    "nothing for an id": ("1,2,3\n\n,2,3\n", "bad, line 3 has no user id"),
    "nan for an id": ("1.0,2,3\nnan,2,3\n", "bad, line 2 has no user id"),
    "a fraction for an id": ("1 2 3\n1 2.5 3\n", "bad, line 2: the item id '2.5' is not an integer"),
    "not a number": ("user,item,rating\n1,2,3\n1,3,nan\n", "bad, line 3: the rating is nan, not a finite number"),
    "infinite": ("1,2,inf\n", "bad, line 1: the rating is inf"),
    "twice": ("user,item,rating\n1,2,3\n5,2,3\n5,2,4\n1,2,3\n",
              r"bad, line 4: user 5 rates item 2 a second time, first in bad, line 3; 2 rating\(s\) repeat a pair"),
    "wrong count": ("2,1,99,1,99\n1,99,99,1,99\n3,1,99,1,99\n", "line 3: the first column says that 3 items are rated"),
    "off Jester's scale": ("2,-1,99,11,99\n1,99,99,1,99\n", "line 1, item 3: the rating 11 is off the scale -10 to 10"),
    "infinite in a matrix": ("2,1,99,99,99,1\n3,1,99,99,2,inf\n", "line 2, item 6: the rating is inf"),
    "text in a matrix": ("1,99,99,99,1\n1,x,99,99,99\n", "line 2: 'x' in column 2 stands where a number belongs"),
    "an empty matrix": ("0,99,99,99,99\n", "every entry is 99"),
    "a fractional id in a matrix": ("user,1,2,3,4\n1.5,1,99,99,99\n",
                                    "line 2, item 1: the user id '1.5' is not an integer"),
    "binary": ("\xd0\0\0\0", "is not text, gzip, zip or Parquet"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_sentence_with_its_line(case, tmp_path):
    text, sentence = BAD[case]
    with pytest.raises(InputError, match=sentence) as caught:
        read_ratings(write(tmp_path / "bad", text))
    assert "bad" in str(caught.value) and "\n" not in str(caught.value)


def test_missing_and_damaged_files(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        read_ratings(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="is a folder without Parquet files"):
        read_ratings(tmp_path)
    whole = gzip.compress(LAYOUTS["course"].encode())
    with zipfile.ZipFile(tmp_path / "book.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    for name, raw, sentence in [
        ("cut.gz", whole[:-9], "is a damaged gzip file"),
        ("nonsense.gz", whole[:4] + b"nonsense", "is a damaged gzip file"),
        ("cut.zip", b"PK\x03\x04 and no more", "is a damaged zip archive"),
        ("cut.parquet", b"PAR1 and no more", "is a damaged Parquet file"),
        ("book.xlsx", (tmp_path / "book.xlsx").read_bytes(), "is an Excel workbook: save it as CSV"),
    ]:
        with pytest.raises(InputError, match=sentence):
            read_ratings(write_bytes(tmp_path / name, raw))


def write_bytes(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


def test_bad_parquet(tmp_path):
    for frame, sentence in [
        (pd.DataFrame({"a": [1], "b": [2], "c": [3]}), "has the columns a, b, c; expected"),
        (pd.DataFrame({"user": [[1]], "item": [2], "rating": [3]}), "column 'user' holds neither numbers nor text"),
        (pd.DataFrame({"user": [1, 2], "item": [2, 2], "rating": [3.0, None]}), "row 2 has no rating"),
        (pd.DataFrame({"user": [1.5], "item": [2], "rating": [3]}), "row 1: the user id '1.5' is not an integer"),
        (pd.DataFrame({"user": [1], "item": [2], "rating": [3]})[:0], "has columns but no ratings"),
    ]:
        frame.to_parquet(tmp_path / "bad.parquet", index=False)
        with pytest.raises(InputError, match=sentence):
            read_ratings(tmp_path / "bad.parquet")


def test_a_rating_off_the_given_scale_is_named(tmp_path):
    path = write(tmp_path / "r.csv", "user,item,rating\n1,1,5\n2,1,0.5\n3,1,6\n")
    assert read_ratings(path, (0, 10)).scale == (0, 10)
    with pytest.raises(InputError, match=r"line 3: the rating 0.5 is off the scale 1 to 5; 2 of 3 are"):
        load_ratings(path, scale="1,5")


def test_jesters_scale_maps_to_stars(tmp_path):
    x = [-10, -9.99, -6, -5.99, -2, -1.99, 2, 2.01, 6, 6.01, 10]
    text = "".join(f"1,{n},{value}\n" for n, value in enumerate(x))
    ratings = to_stars(read_ratings(write(tmp_path / "x.csv", text)))
    assert ratings.rating.tolist() == [1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5] and ratings.scale == (1, 5)
    with pytest.raises(InputError, match=r"only ratings from -10 to 10 can be mapped .* from 1 to 12"):
        to_stars(read_ratings(write(tmp_path / "y.csv", "1,1,1\n1,2,12\n")))


def test_the_door_maps_what_is_jesters_and_says_so(tmp_path):
    said: list[str] = []
    jester = write(tmp_path / "jester.csv", "1,1,-8.5\n1,2,7.25\n")
    likes = write(tmp_path / "likes.csv", "1,1,-1\n1,2,1\n")
    assert load_ratings(jester, say=said.append).rating.tolist() == [1, 5]
    assert len(said) == 2 and "mapped to 1 to 5 stars" in said[1]
    assert load_ratings(jester, scale="keep", say=said.append).rating.tolist() == [-8.5, 7.25]
    assert load_ratings(likes, say=said.append).rating.tolist() == [-1, 1]
    assert load_ratings(likes, scale="jester", say=said.append).rating.tolist() == [3, 3]
    assert load_ratings(likes, scale="-1,1", say=said.append).rating.tolist() == [-1, 1]
    assert "likes.csv: the ratings run from -1 to 1; if that is their scale, --scale -1,1 says so" in said[4]


def test_the_door_names_what_it_knows():
    with pytest.raises(InputError, match="unknown ratings 'jestr': did you mean 'jester'"):
        load_ratings("jestr")
    with pytest.raises(InputError, match=r"there is no file 'nowhere\.csv'"):
        load_ratings("nowhere.csv")
    for scale in ("5,1", "one", "1,2,3", "1,inf"):
        with pytest.raises(InputError, match="a scale is 'auto', 'keep', 'jester' or"):
            load_ratings("jester-like", scale=scale)
    with pytest.raises(InputError, match="are on the scale 1 to 5, not -10 to 10"):
        load_ratings("jester-like", scale="jester")


@pytest.mark.skipif(not JESTER_5K.exists(), reason="needs shared/data/jester-5k.csv.gz beside the repository")
def test_the_real_sample_of_jester():
    """Its sizes are those in its README; its values those that Python reads line by line."""
    ratings = load_ratings(JESTER_5K, scale="keep")
    assert (len(ratings), ratings.num_users, ratings.num_items) == (363_209, 5_000, 100)
    with gzip.open(JESTER_5K, "rt") as file:
        rows = [line.split(",") for line in file][1:]
    assert triples(ratings) == [(int(user), int(item), float(x)) for user, item, x in rows]
    stars = load_ratings(JESTER_5K, say=lambda _: None)
    assert torch.equal(stars.rating.unique(), torch.arange(1.0, 6.0, dtype=torch.float64))
