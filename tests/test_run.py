"""The door, as a user walks through it."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import run
from tests.support import ROOT

QUICK = ["--problem", "1", "--image", "small", "--method", "mean_field", "--method", "brute_force"]


def door(*argv: str) -> int:
    return run.guarded([str(a) for a in argv])


def test_a_run_leaves_what_the_readme_says(tmp_path, capsys):
    out = tmp_path / "out"
    assert door(*QUICK, "--out", out, "--seed", "3") == 0
    assert "checkpoints passed" in capsys.readouterr().out
    summary = json.loads((out / "summary.json").read_text())
    assert summary["problem"] == 1 and summary["seed"] == 3
    assert shlex.split(summary["command"])[:4] == ["python", "run.py", "--problem", "1"]
    assert {"versions", "machine"} <= summary.keys()
    fields = {"id", "what", "ours", "reference", "error", "passed", "passes"}
    assert summary["checkpoints"] and all(
        set(c) == fields and c["passed"] for c in summary["checkpoints"])
    by_name = {m["name"]: m for m in summary["methods"]}
    assert {"name", "family", "by", "log_evidence", "log_evidence_kind", "max_error", "mean_error", "residual",
            "converged", "steps", "seconds"} <= by_name["mean_field"].keys()
    assert by_name["brute_force"]["log_evidence"] == pytest.approx(186.00257856088436, rel=1e-12)
    assert by_name["mean_field"]["log_evidence_kind"] == "lower bound"
    assert {"mean_field.nc", "brute_force.nc", "denoised.png", "entropy.png", "convergence.png", "marginals.png",
            "log_evidence.png", "run.json"} <= {p.name for p in out.iterdir()}
    assert not list(out.glob("*.npz")) and not list(out.glob(".*"))


@pytest.mark.usefixtures("undrawn")
def test_a_failed_checkpoint_is_exit_status_1(tmp_path, monkeypatch, capsys):
    from experiments.problem1 import checkpoints as checkpoints1

    monkeypatch.setattr(checkpoints1, "LOG_Z", 186.1)
    assert door(*QUICK, "--out", tmp_path / "out") == 1
    assert "FAIL" in capsys.readouterr().out


def test_results_are_never_mixed(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("keep me")
    assert door(*QUICK, "--out", tmp_path) == 2
    assert "not an empty directory" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_that_is_taken_is_refused_before_anything_takes_time(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("experiments.problem1.conformance.answered", lambda folder: pytest.fail("the grids are read"))
    (tmp_path / "mine.txt").write_text("keep me")
    assert door("--problem", "1", "--conformance", tmp_path, "--out", tmp_path) == 2
    assert "not an empty directory" in capsys.readouterr().err


@pytest.mark.parametrize("argv, words", [
    (["--problem", "9"], "--problem takes 1, 2, 3, all, or a file"),
    ([], "say which problem"),
    (["--problem", "1", "--sweps", "3"], "unrecognized"),
    (["--problem", "1", "--method", "mean_feild"], "did you mean 'mean_field'"),
    (["--problem", "1", "--method", "absent.py"], "no file"),
    (["--problem", "1", "--image", "absent.png"], "no such file"),
    (["--problem", "1", "--image", "smal"], "did you mean 'small'"),
    ([*QUICK, "--schedule", "checkerbord"], "did you mean 'checkerboard'"),
    ([*QUICK, "--damping", "-0.1"], "damping"),
    ([*QUICK, "--damping", "nan"], "damping"),
    ([*QUICK, "--coupling", "10,x"], "--coupling"),
    ([*QUICK, "--coupling", "nan"], "--coupling"),
    ([*QUICK, "--evidence", "nan"], "finite"),
    ([*QUICK, "--sweeps", "-1"], "steps must be at least 1"),
    ([*QUICK, "--labels", "1"], "at least 2 labels"),
    ([*QUICK, "--device", "tpu"], "cpu or cuda"),
    ([*QUICK, "--outside", "absent"], "holds none of"),
    (["--resume", "absent"], "no run in absent"),
    (["--list", "nothing_like_it"], "unknown method"),
    (["--problem", "1", "--image", "spiral", "--method", "brute_force"], "strip"),
])
def test_bad_input_is_one_sentence_and_leaves_nothing(argv, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert door(*argv) == 2
    captured = capsys.readouterr()
    assert words in captured.err and captured.err.startswith("error: ") and captured.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_cuda_where_there_is_none(capsys):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    assert door(*QUICK, "--device", "cuda") == 2
    assert "no CUDA device" in capsys.readouterr().err


def test_a_second_cuda_device_where_there_is_one(capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert door(*QUICK, "--device", "cuda:1") == 2
    assert "the last one is cuda:0" in capsys.readouterr().err


def test_ctrl_c_saves_and_resume_gives_the_same_bytes(tmp_path):
    """A long run is stopped by a signal half way, resumed, and compared with one that was left alone."""
    argv = ["--problem", "1", "--image", "flag", "--beta", "0.1", "--method", "mean_field", "--damping", "0.5",
            "--bare", "--sweeps", "1500"]
    stopped, alone = tmp_path / "stopped", tmp_path / "alone"
    process = subprocess.Popen([sys.executable, "run.py", *argv, "--out", stopped], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(600):
        if (stopped / "run.json").exists():
            break
        time.sleep(0.1)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGINT)
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 130, said + errors
    assert "--resume" in errors and "Traceback" not in said + errors
    assert door("--resume", stopped) == 0
    assert door(*argv, "--out", alone) == 0
    from inference.result import Result
    a, b = Result.load(stopped / "mean_field.nc"), Result.load(alone / "mean_field.nc")
    assert np.array_equal(a.expected["labels"], b.expected["labels"])
    assert np.array_equal(a.draws["labels"], b.draws["labels"])
    assert np.array_equal(a.trace["elbo"], b.trace["elbo"])


@pytest.mark.parametrize("suffix", [".npy", ".png", ".uai"])
def test_an_exported_image_is_the_same_problem(tmp_path, suffix, capsys):
    file = tmp_path / f"small{suffix}"
    assert door("--problem", "1", "--image", "small", "--export", file) == 0
    assert door("--problem", "1", "--image", file, "--method", "brute_force", "--out", tmp_path / "out") == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["methods"][0]["log_evidence"] == pytest.approx(186.00257856088436, rel=1e-12)
    assert door("--problem", "1", "--image", "small", "--export", file) == 2
    assert "exists already" in capsys.readouterr().err


def test_list_reads_the_docstrings(capsys):
    assert door("--list") == 0
    assert "mean_field" in capsys.readouterr().out
    assert door("--list", "mean_field") == 0
    assert "checkerboard" in capsys.readouterr().out
