"""The sets of test problems: found by their folders, and named nowhere else in `checks/`."""

import re

import pytest

from checks.problems.load import of_kind, problem_set, sets
from errors import InputError
from inference import load
from tests.support import ROOT

CHECKS = ROOT / "checks"
OWN = ("problems", "right", "zoo")  # what holds a set's own things


def test_sets_are_folders_and_the_plain_one_of_a_kind_is_first():
    assert list(sets()) == ["grid", "factorization", "features", "ladder", "ordinal", "time"]
    assert [s.name for s in of_kind("factorization")] == ["factorization", "features", "ladder", "ordinal", "time"]
    assert all(s.kind in load.kinds() and (CHECKS / "problems" / s.name).is_dir() for s in sets().values())
    assert problem_set("grid") is problem_set(problem_set("grid"))
    with pytest.raises(InputError, match="did you mean 'ladder'"):
        problem_set("lader")
    with pytest.raises(InputError, match="no test problems for weather: there are for grid, factorization"):
        of_kind("weather")


def test_a_third_kind_of_model_is_one_folder_here():
    """No other file of `checks/` imports a set or its model, but for guides in Pyro, which are fitted for one kind."""
    folders = "|".join(f"checks[.]problems[.]{name}\\b|models[.]{name}\\b" for name in sets())
    named = {str(path.relative_to(CHECKS)) for path in CHECKS.rglob("*.py")
             if path.relative_to(CHECKS).parts[0] not in OWN and re.search(folders, path.read_text())}
    assert named <= {"guides/pyro.py"}


@pytest.mark.parametrize("name", sets())
def test_every_set_has_problems_of_its_kind(name):
    chosen = problem_set(name)
    assert all(p.model.kind == chosen.kind for p in (*chosen.problems(), chosen.fitting()))
    assert chosen.fitting().answers


def test_states_that_are_listed_are_all_of_them():
    tiny = problem_set("grid").tiny
    assert tiny
    for listed, labels in zip(tiny(), (3, 2), strict=True):
        states = listed.states["labels"]
        assert len(states) == len({tuple(y.flatten().tolist()) for y in states}) == labels**4
