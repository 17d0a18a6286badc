"""Features from files: MovieLens' u.user and u.item, headers, decimal commas; what is missing, unknown, twice."""

import numpy as np
import pytest

from data.side_columns import LEVELS
from data.side_information import read_known, read_more
from errors import InputError

USERS = np.array([1, 2, 3, 7])
U_USER = "1|20|M|none|85711\n2|30|F|writer|94043\n3||F|none|32067X\n9|50|M|writer|1\n"


def write(folder, name, text, encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_the_layout_of_u_user(tmp_path):
    said: list[str] = []
    known = read_known(write(tmp_path, "u.user", U_USER), "user", USERS, None, said.append)
    values = known.values.numpy() / known.encoding.scale
    assert [(c.name, c.words) for c in known.encoding.columns] == [
        ("column 2", ()), ("column 3", ("F", "M")), ("column 4", ("none", "writer"))]
    assert np.allclose(values, [[-1, 0, 1, 1, 0], [1, 1, 0, 0, 1], [0, 1, 0, 1, 0], [0] * 5])  # age: mean 25, sd 5
    assert (known.values.numpy()[:3] ** 2).sum() == pytest.approx(3)  # rows of length 1 on average
    text = "\n".join(said)
    assert "1 of 4 rows are of users who have no ratings: left out" in text and "column 5 is left out" in text
    assert "1 of 4 users have no row: their features are 0" in text and "1 missing: its mean in their place" in text


def test_u_item_in_latin_1_and_headers_with_decimal_commas(tmp_path):
    u_item = "".join(f"{k}|Café {k} (1995)|0{1 + k % 2}-Jan-1995||http://x/{k}|{k % 2}|0\n" for k in range(1, 9))
    said: list[str] = []
    known = read_known(write(tmp_path, "u.item", u_item, "latin-1"), "item", np.arange(1, 9), None, said.append)
    assert [c.name for c in known.encoding.columns] == ["column 3", "column 6"]
    assert {c.split(" is left out: ")[1] for c in said if "left out" in c} == {
        "it has 8 words in 8 rows", "it is empty", "it is the same number everywhere"}
    text = "Movie ID;length;kind\nx1;1,5;a\nx2;3,5;b\nx3;2,5;a\n"
    known = read_known(write(tmp_path, "m.csv", text), "item", np.array(["x1", "x2", "x3"], object), None, said.append)
    assert (known.values[:, 0] / known.encoding.scale).tolist() == pytest.approx([-(1.5**0.5), 1.5**0.5, 0])
    named = read_known(write(tmp_path, "n.csv", "size,code\n3,x1\n4,x2\n"), "item", np.array(["x1", "x2"], object),
                       "user=who,item=code,rating=stars", said.append)
    assert [c.name for c in named.encoding.columns] == ["size"]


def test_the_most_frequent_words_are_kept(tmp_path):
    words = [f"w{k:02d}" for k in range(LEVELS + 5)]
    rows = [f"{n},{w}" for n, w in enumerate([*words, *words[:LEVELS] * 2])]
    said: list[str] = []
    known = read_known(write(tmp_path, "many.csv", "user,word\n" + "\n".join(rows)), "user", np.arange(len(rows)), None,
                       said.append)
    assert known.encoding.columns[0].words == tuple(words[:LEVELS])
    assert f"{LEVELS} words of {LEVELS + 5}, the most frequent" in "\n".join(said)


def test_others_are_made_features_of_alike(tmp_path):
    known = read_known(write(tmp_path, "u.user", U_USER), "user", USERS, None, lambda line: None)
    said: list[str] = []
    again = read_more(write(tmp_path, "new", "5|35|F|pilot|0\n6|x|M|none|0\n"), "user", np.array(["5", "6"], object),
                      None, known.encoding, said.append)
    assert np.allclose(again / known.encoding.scale, [[2, 1, 0, 0, 0], [0, 0, 1, 1, 0]])
    assert "2 values are missing, or words that the fit has no feature of" in "\n".join(said)
    with pytest.raises(InputError, match="has no column 4, which the fit has features of"):
        read_more(write(tmp_path, "few", "5|35|F\n6|20|M\n"), "user", np.array(["5", "6"], object), None,
                  known.encoding, said.append)


@pytest.mark.parametrize(("text", "why"), [
    ("1|20\n1|30\n2|40\n", "more than one row for user 1; keep one"),
    ("a|20\nb|30\n", "has a row for none of the users: its ids are like a, those of the ratings like 1"),
    ("1\n2\n", r"has 1 column\(s\); expected a column of ids and others about them"),
    ("", "is empty; expected a column of ids and others"),
    ("name,age\nann,3\nbob,4\n", "none is known as the user's id: call it user"),
    ("user,age,age\n1,3,4\n2,3,5\n", "two columns age"),
    ("user,age\n1,3\n,4\n", "line 3 has no user id in column 1 'user'"),
    ("user,age\n1,3\n2,3\n", "none of its columns tells users apart"),
    ("user,age\n1,3\n2\n", "line 3 has 1 column"),
    ("user,age\n", "has a header but no rows"),
])
def test_what_tells_nothing_is_a_sentence(tmp_path, text, why):
    with pytest.raises(InputError, match=why):
        read_known(write(tmp_path, "f.csv", text), "user", USERS, None, lambda line: None)


def test_parquet(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    table = pa.table({"user_id": [3, 1, 2, 7], "age": [1.0, None, 3.0, 5.0], "sex": ["F", "M", "F", None]})
    parquet.write_table(table, tmp_path / "u.parquet")
    known = read_known(tmp_path / "u.parquet", "user", USERS, None, lambda line: None)
    assert [(c.name, c.words) for c in known.encoding.columns] == [("age", ()), ("sex", ("F", "M"))]
    assert (known.values[:, 1:] / known.encoding.scale).tolist() == [[0, 1], [1, 0], [1, 0], [0, 0]]


@pytest.mark.parametrize(("separator", "rows"), [
    ("|", ["Action|Comedy", "Action", "Drama"]),
    (",", ["\"['Action', 'Comedy']\"", "\"['Action', 'Drama', 'Comedy']\"", "\"['Drama']\""]),
])
def test_words_in_lists_are_features_each_by_itself(tmp_path, separator, rows):
    """As the genres of MovieLens' movies.csv, and of tables written by Python."""
    text = "movieId,genres\n" + "".join(f"{k},{row}\n" for k, row in enumerate(rows))
    said: list[str] = []
    known = read_known(write(tmp_path, "movies.csv", text), "item", np.arange(3), None, said.append)
    assert known.encoding.columns[0].words == ("Action", "Comedy", "Drama")
    hot = [[float(word in row) for word in ("Action", "Comedy", "Drama")] for row in rows]
    assert np.allclose(known.values.numpy() / known.encoding.scale, hot)
    assert f"genres (3 words in lists, apart by '{separator}')" in "\n".join(said)
    more = write(tmp_path, "more.csv", f"movieId,genres\n7,\"Drama{separator}War\"\n")
    again = read_more(more, "item", np.array(["7"], object), None, known.encoding, said.append)
    assert np.allclose(again / known.encoding.scale, [[0, 0, 1]]) and "1 values are missing" in said[-1]


@pytest.mark.parametrize("rows", [
    ["Smith, John", "Doe, Jane", "Smith, John", "Doe, Jane"], ["http://x/1", "http://x/2", "http://x/1", "http://x/2"]])
def test_words_that_only_hold_a_comma_or_a_slash_are_whole(tmp_path, rows):
    text = "user,who\n" + "".join(f'{k},"{row}"\n' for k, row in enumerate(rows))
    known = read_known(write(tmp_path, "who.csv", text), "user", np.arange(4), None, lambda line: None)
    assert known.encoding.columns[0].words == tuple(sorted(set(rows)))
