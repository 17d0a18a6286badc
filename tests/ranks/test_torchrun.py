"""`torchrun run.py`, as it is typed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from inference.result import Result
from tests.support import ROOT

WORDS = ("--problem", "3", "--ratings", "examples/ratings.csv", "--kernel", "ladder_gibbs", "--model",
         "noise+hierarchical+biases", "--chains", "1", "--bare")


def torchrun(ranks, *words):
    return subprocess.Popen([sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(ranks), "run.py",
                             *map(str, words)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def workers(parent):
    """The processes of the ranks, in their order."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent.pid)], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


@pytest.mark.slow
def test_a_killed_rank_ends_the_run_everywhere_and_others_in_number_go_on_with_it(tmp_path):
    """Three ranks, of which the second is killed once something is saved; then two go on to the end."""
    run = torchrun(3, *WORDS, "--sweeps", 1500, "--out", tmp_path / "out")
    until = time.monotonic() + 120
    while not list((tmp_path / "out").glob("*.checkpoint.npz")) and time.monotonic() < until:
        time.sleep(0.1)
    killed = time.monotonic()
    os.kill(workers(run)[1], signal.SIGKILL)
    said = [line for line in run.communicate(timeout=60)[1].splitlines() if line.startswith("error: ")]
    assert time.monotonic() - killed < 30
    assert len(said) == 2 and all(line.startswith("error: rank 1 cannot be reached any more") for line in said)
    again = torchrun(2, "--resume", tmp_path / "out")
    out, _ = again.communicate(timeout=300)
    assert again.returncode == 0 and "1 result in" in out
    assert Result.load(tmp_path / "out" / "ladder_gibbs.nc").steps == 1500


@pytest.mark.slow
@pytest.mark.parametrize("words, said", (
    (("--problem", "3", "--sweep", "rank=1,2"), "--sweep is not divided among the 2 processes that torchrun started"),
    (("--problem", "1",), "--problem 1 is not divided"), (("--check", "row_gibbs"), "--check is not divided"),
    ((*WORDS, "--kernel", "random_walk"), "random_walk needs all users in one process"),
    ((*WORDS, "--rank", "900"), "the rank must lie between 1 and the number of items"),
))
def test_what_several_ranks_cannot_do_is_one_sentence(tmp_path, words, said):
    run = torchrun(2, *words, "--out", tmp_path / "out")
    errors = [line for line in run.communicate(timeout=100)[1].splitlines() if line.startswith("error: ")]
    assert run.returncode == 1 and len(errors) == 1 and errors[0].startswith(f"error: {said}")
    assert not (tmp_path / "out").exists()
