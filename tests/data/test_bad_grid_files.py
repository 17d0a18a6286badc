"""Every wrong grid file is refused in one sentence that says what is wrong with it."""

import pytest

from data.grid_files import read_grid, read_marginals
from errors import InputError


def write(path, text):
    path.write_text(text)
    return path


UAI = "MARKOV 4  2 2 2 2  2  2 0 1  2 1 3  4 1 2 3 4  4 1 2 3 4"
FG = "1 \n 2 \n 0 1 \n 2 2 \n 4 \n 0 1 \n 1 2 \n 2 3 \n 3 4"


@pytest.mark.parametrize("old, new, words", [
    ("MARKOV", "BAYES", "Bayesian network"),
    ("MARKOV", "MRF", "begins with 'MRF'"),
    (UAI, "", "cut short: the file ends too early for the word MARKOV"),
    ("4 1 2 3 4  4 1 2 3 4", "4 1 2 3 4  4 1 2 3", "cut short: the file ends too early for the table of factor 1"),
    ("4 1 2 3 4  4 1 2 3 4", "4 1 2 3 4", "cut short: the file ends too early for the table of factor 1"),
    ("2 1 3  4 1 2 3 4  4 1 2 3 4", "2 1", "cut short: the file ends too early for the scope of factor 1"),
    (UAI, UAI + "\n\n 5", "line 3: '5' follows where the file should end"),
    ("2 2 2 2", "2 3 2 2", "4 entries, but its 2 variables have 6 joint states"),
    ("2 2 2 2", "2 2 0 2", "variable 2 has no states"),
    ("2 2 2 2", "1 1 1 1", "at least 2 labels"),
    ("MARKOV 4  2 2 2 2", "MARKOV 0", "no variables"),
    ("2 0 1  2 1 3", "2 0 2  2 1 2", "variables 1 and 2 share a factor, but are not neighbours in rows of 2 pixels"),
    ("2 1 3", "2 0 3", "rows would have 3 pixels, which 4 variables do not fill"),
    ("2 1 3", "2 1 1", "variable 1 twice"),
    ("2 1 3", "2 1 4", "factor 1 has variable 4, but the variables are 0 to 3"),
    ("2 1 3", "3 1 2 3", "factor 1 joins 3 variables; a grid model is pairwise"),
    ("4 1 2 3 4  4", "5 1 2 3 4 5  4", "5 entries, but its 2 variables have 4 joint states"),
    ("1 2 3 4  4", "0 0 0 0  4", "no labelling is possible (Z = 0): factor 0, of variables [0, 1], is 0"),
    ("1 2 3 4  4", "1 -2 3 4  4", "factor 0, of variables [0, 1], holds -2, but factors are at least 0 and finite"),
    ("1 2 3 4  4", "1 1_0 3 4  4", "'1_0' is no number"),
    ("1 2 3 4  4", "1 nan 3 4  4", "holds nan"),
    ("1 2 3 4  4", "1 1e999 3 4  4", "holds inf"),
    ("1 2 3 4  4", "1\nx 3 4  4", "line 2: 'x' is no number, which is expected for the table of factor 0"),
    ("2 0 1", "2 0 -1", "'-1' is no whole number"),
])
def test_wrong_uai_files(tmp_path, old, new, words):
    path = write(tmp_path / "a.uai", UAI.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        read_grid(path)
    assert words in str(error.value) and str(error.value).startswith(f"{path}: ")


def test_a_star_is_told_as_what_it_is(tmp_path):
    """The middle has five neighbours, a pixel four; one pair is given twice."""
    pairs = [(0, v) for v in (1, 2, 3, 4, 5, 5)]
    path = write(tmp_path / "a.uai", f"MARKOV 6  {'2 ' * 6} {len(pairs)}  " + " ".join(f"2 {i} {j}" for i, j in pairs)
                 + "  4 1 2 3 4" * len(pairs))
    with pytest.raises(InputError, match="is a graph of 6 variables and 5 pairs, and no grid in any order: variable 0 "
                                         "shares factors with 5 others, a pixel with at most 4"):
        read_grid(path)


@pytest.mark.parametrize("old, new, words", [
    (FG, "", "the number of factors"),
    (FG, "0", "no variables"),
    ("3 4", "3", "too early for the entries of factor 0"),
    ("\n 4 \n", "\n 3 \n", "line 9: '3' follows"),
    ("\n 4 \n", "\n 5 \n", "lists 5 entries, and its variables have 4 joint states"),
    ("2 3", "1 3", "not numbered from 0 to 3, each at most once"),
    ("2 3", "7 3", "not numbered from 0 to 3, each at most once"),
    ("3 4", "nan 4", "not numbered"),
    ("3 4", "3 -1", "holds -1, but factors are at least 0"),
    ("3 4", "3 4\n 7 8", "line 10: '7' follows"),
    ("0 1 \n 2 2", "0 2 \n 2 2", "variable 1 is in no factor"),
    ("2 \n 0 1 \n 2 2", "3 \n 0 1 2 \n 2 2 2", "joins 3 variables"),
    ("2 \n 0 1 \n 2 2", "2 \n 1 1 \n 2 2", "variable 1 twice"),
    ("1 \n 2", "2 \n 1 0 3 3 0 1 1 1 2 1 \n 2", "3 states in one factor and 2 in factor 1"),
    ("2 \n 0", "two \n 0", "line 2: 'two' is no whole number"),
])
def test_wrong_fg_files(tmp_path, old, new, words):
    with pytest.raises(InputError) as error:
        read_grid(write(tmp_path / "a.fg", FG.replace(old, new, 1)))
    assert words in str(error.value)


@pytest.mark.parametrize("text, words", [
    ("", "too early for the word MAR"),
    ("PR\n1.5", "does not begin with MAR"),
    ("MAR 2 2 0.5 0.5 2 0.5", "the marginal of variable 1"),
    ("MAR 1 2 0.5 0.5 7", "'7' follows"),
    ("MAR 1 2 0.5 0.7", "variable 0 is not a distribution"),
    ("MAR 1 2 nan 0.7", "not a distribution"),
    ("MAR 1 2 -1 2", "not a distribution"),
    ("MAR 0", "no variables"),
])
def test_wrong_marginals(tmp_path, text, words):
    with pytest.raises(InputError) as error:
        read_marginals(write(tmp_path / "a.MAR", text))
    assert words in str(error.value)


def test_wrong_paths(tmp_path):
    for path, words in ((tmp_path / "a.uai", "no such file"), (tmp_path / "a.npy", "a .uai or a .fg file")):
        with pytest.raises(InputError, match=words):
            read_grid(path)
    (tmp_path / "b.uai").write_bytes(b"MARKOV \xff\xfe")
    with pytest.raises(InputError, match="not a text file"):
        read_grid(tmp_path / "b.uai")
    (tmp_path / "c.uai").mkdir()
    with pytest.raises(InputError, match="not a file"):
        read_grid(tmp_path / "c.uai")
