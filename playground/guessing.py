"""What the page of the game shows: a kernel without its name, and the verdict on it."""

from __future__ import annotations

import ast
import random
import re
from functools import cache, lru_cache
from pathlib import Path

from checks import planted
from checks.door import check
from checks.verdict import Outcome, Verdict

RIGHT = planted.ZOO.parent / "right"
KINDS = {"ratings": "factorization", "images": "grid"}
BUDGET = 30.0  # processor seconds


@cache
def kernels(kind: str) -> list[Path]:
    """Right ones and wrong ones, as many of each, in an order that says nothing."""
    right, wrong = ([p for p in sorted((folder / kind).glob("[a-z]*.py")) if p.stem != "pieces"]
                    for folder in (RIGHT, planted.ZOO))
    rng = random.Random(0)
    mixed = right + rng.sample(wrong, len(right))
    rng.shuffle(mixed)
    return mixed


def shown(path: Path) -> str:
    """Its code without the docstrings and names that would say what it is."""
    text = path.read_text()
    for node in reversed([n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Module | ast.FunctionDef)
                          and ast.get_docstring(n)]):
        text = text.replace(ast.get_source_segment(text, node.body[0]) or "\0", "", 1)
    text = re.sub(r"checks\.(right|zoo)\.", "checks.", text)
    return re.sub(r"\n\s*\n(\s*\n)+", "\n\n\n", text).strip()


def is_right(path: Path) -> bool:
    return path.is_relative_to(RIGHT)


@lru_cache(maxsize=32)
def verdict(path: Path, kind: str) -> Verdict:
    """What `--check` says of it, with a small budget."""
    return check(path, problems=kind, budget=BUDGET)


def said(path: Path, guess: str, judged: Verdict) -> str:
    """Who was right: the guess, and the check."""
    truth = "right" if is_right(path) else "wrong"
    won = "You are right" if guess == truth else "You were misled"
    told = {Outcome.RIGHT: "finds nothing", Outcome.UNKNOWN: "cannot tell",
            Outcome.UNFIT: "says that it cannot be judged", Outcome.WRONG: "finds it"}[judged.outcome]
    what = "." if is_right(path) else f": {planted.symptom(path.stem)}"
    check_ = "`--check` " + (told if truth == "wrong" or judged.outcome is not Outcome.WRONG else "calls it wrong")
    return f"{won}: this kernel is {truth}{what} {check_}, in {judged.seconds:.0f} s."
