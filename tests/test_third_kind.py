"""A third kind of model is one file in models/ and one folder in inference/, checks/problems/ and experiments/ each.

Those of coins stand in `third_kind/`; laid over a copy of the house they are listed, run, compared, swept and judged,
and no other file has changed.
"""

import shutil
import subprocess
import sys

import pytest

from tests.support import ROOT

ROOMS = ("models", "data", "inference", "learning", "checks", "views", "runs", "comparison", "experiments", "commands",
         "crosscheck", "ranks")
BEING_WRITTEN = shutil.ignore_patterns("*.tmp.*", "*.pyc.*")
EVERYWHERE = """
import crosscheck as cc
import run
from models.coins import Coins
import torch

heads = torch.tensor([1.0, 3.0, 5.0], dtype=torch.float64)
exact, chains = cc.run("conjugate", Coins(), heads), cc.run("independence", Coins(), heads, steps=4000, seed=1)
right = (2 + heads) / (2 + 3 + 5)  # the mean of the conjugate Beta
assert abs(exact.expected["p"] - right.numpy()).max() < 1e-12
assert abs(chains.expected["p"] - right.numpy()).max() < 0.03
print(cc.compare([exact, chains]))
assert cc.check("conjugate").outcome == "right", cc.check("conjugate")
assert cc.check("independence", budget=3).outcome != "wrong"
assert cc.check("conjugate", more=1.0).outcome == "wrong"

def door(*words):
    assert run.guarded(list(words)) == 0, words

door("--problem", "4", "--out", "out", "--seed", "3")
door("compare", "out", "--out", "compared")
door("--problem", "4", "--sweep", "seed=0-1", "--method", "conjugate", "--out", "swept")
door("--check", "conjugate", "--problem", "4", "--out", "checked")
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    root = tmp_path_factory.mktemp("house")
    for room in ROOMS:
        shutil.copytree(ROOT / room, root / room, ignore=BEING_WRITTEN)  # with what is compiled
    for file in ROOT.glob("*.py"):
        shutil.copy(file, root / file.name)
    shutil.copytree(ROOT / "tests" / "third_kind", root, dirs_exist_ok=True)
    return root


def said(house, *words) -> str:
    run = subprocess.run([sys.executable, *map(str, words)], cwd=house, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_it_is_listed(house):
    listed = said(house, "run.py", "--list")
    assert "Problem 4, coins" in listed and "An independence sampler" in listed


def test_in_a_notebook_and_at_the_doors(house):
    """All in one process, which imports the house once."""
    told = said(house, "-c", EVERYWHERE)
    assert all(words in told for words in ("2 results", "2 of 2 runs finished", "conjugate is right"))
