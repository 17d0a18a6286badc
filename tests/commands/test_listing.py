"""`--list`: every option in words, with what is used where none is given; a new kind of model by itself."""

import subprocess
import sys

import pytest

import run
from commands import described
from errors import InputError
from inference import known, load
from tests.support import ROOT


@pytest.mark.parametrize("kind, name", [(kind, name) for kind in load.kinds() for name in load.names(kind)])
def test_every_option_of_ours_is_documented(kind, name):
    method = load.method(kind, name)
    for option, parameter in method.options.items():
        meaning, where_none = described.documented(option, described.documents(method))
        assert meaning, f"no line for {option}"
        assert (where_none is not None) == (parameter.default is None), option


def test_a_method_and_a_guide_of_one_name_are_told_apart(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run.guarded(["--list", "mean_field"]) == 0
    said = capsys.readouterr().out
    assert "A method for Problem 1, the grid Markov random field: mean_field (by hand, variational)" in said
    assert "A guide for Problems 2 and 3, the factorization of ratings: guide_mean_field_pyro (by pyro" in said
    lines = {line.split()[0]: " ".join(line.split()) for line in said.splitlines() if line.split()}
    assert lines["damping"] == "damping a number 0 share of the old log q in the new one, from 0 to below 1"
    assert lines["lr"] == "lr a number, or none the recipe's, 0.1 or 0.001 learning rate of Adam"
    assert "synchronous, checkerboard or sequential" in lines["schedule"]
    assert "Options:" not in said and "float" not in said and "None" not in said


def test_options_of_a_users_file_are_read_from_its_docstring(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text('"""A walk.\n\nOptions:\n\n    size   a move, in [units]; by default 3\n    often  whether\n"""\n'
                    "def transition(rng, latents, model, data, *, size: float | None = None, often: bool = True,\n"
                    "               silent: int = 12000):\n    return latents\n")
    assert run.guarded(["--list", str(file)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "A file of yours: mine (by user, mcmc)"
    assert {"size a number, or none 3 a move, in [units]", "often yes or no yes whether",
            "silent a whole number 12,000 -"} <= set(lines)


def test_a_third_kind_of_model_is_listed_by_itself(tmp_path, monkeypatch, capsys):
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / "__init__.py").write_text('"""Problem 9, something else.\n\nMore of it."""\n')
    (tmp_path / "third" / "walk.py").write_text('"""A walk."""\ndef init(): ...\ndef step(): ...\ndef draw(): ...\n')
    monkeypatch.setattr(known, "HERE", tmp_path)
    for cached in (known.kinds, known.names):
        cached.cache_clear()
    try:
        assert run.guarded(["--list"]) == 0
        said = capsys.readouterr().out
        assert said.startswith("Problem 9, something else") and "walk     hand   A walk." in said
        with pytest.raises(InputError, match="unknown method or guide 'wlak': did you mean 'walk'"):
            described.found("wlak")
    finally:
        for cached in (known.kinds, known.names):
            cached.cache_clear()


@pytest.mark.parametrize("words", [["--help"], ["--list"], ["--jobs", "two"]])
def test_what_infers_nothing_imports_no_library_of_inference(words):
    code = ("import sys, run\ntry:\n    run.guarded(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
            "print('imported:', *sorted({'torch', 'numpy', 'pyro', 'numba'} & sys.modules.keys()))")
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "imported:", done.stdout + done.stderr
