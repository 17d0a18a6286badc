"""The game: what is shown gives nothing away, and the words are true."""

import ast

import pytest

from checks.verdict import Outcome, Verdict
from playground import guessing


@pytest.mark.parametrize("kind", guessing.KINDS.values())
def test_half_are_right_and_no_code_says_which(kind):
    found = guessing.kernels(kind)
    assert sum(map(guessing.is_right, found)) * 2 == len(found) >= 14
    for path in found:
        shown = guessing.shown(path)
        tree = ast.parse(shown)
        assert "zoo" not in shown and "checks.right" not in shown, path
        said = [n for n in ast.walk(tree) if isinstance(n, ast.Module | ast.FunctionDef) and ast.get_docstring(n)]
        assert not said, path
        assert [n.name for n in tree.body if isinstance(n, ast.FunctionDef)] == [
            n.name for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)], path


def test_who_was_right():
    right = next(p for p in guessing.kernels("grid") if guessing.is_right(p))
    wrong = next(p for p in guessing.kernels("grid") if not guessing.is_right(p))

    def said(path, guess, outcome):
        return guessing.said(path, guess, Verdict("it", outcome, 1e-3, seconds=3.2))

    assert said(right, "right", Outcome.RIGHT) == ("You are right: this kernel is right. `--check` finds nothing, "
                                                   "in 3 s.")
    assert said(right, "wrong", Outcome.WRONG).startswith("You were misled: this kernel is right")
    assert "calls it wrong" in said(right, "wrong", Outcome.WRONG)
    assert said(wrong, "wrong", Outcome.WRONG).startswith("You are right: this kernel is wrong: ")
    assert said(wrong, "right", Outcome.WRONG).endswith("`--check` finds it, in 3 s.")
