"""`python run.py --check`: exit statuses, what is printed, what is left behind, wrong input."""

import json

import pytest

import run
from checks.door import found
from errors import InputError
from tests.support import ROOT

CHECKS = ROOT / "checks"
pytestmark = pytest.mark.usefixtures("one_reference")


def door(*argv) -> int:
    return run.guarded([str(a) for a in argv])


def test_wrong_is_1_with_findings_hints_figure_and_json(tmp_path, capsys):
    out = tmp_path / "out"
    path = CHECKS / "zoo" / "factorization" / "noise_sd_as_variance.py"
    assert door("--check", path, "--out", out, "--seed", "1") == 1
    said = capsys.readouterr().out
    assert "WRONG" in said and "squared error" in said and "whose square root is 0.63" in said
    assert "at most 0.001" in said
    verdict = json.loads((out / "check.json").read_text())
    assert verdict["outcome"] == "wrong" and verdict["findings"][0]["direction"] == "too large"
    assert verdict["tested"][0]["replicates"] == 500
    assert (out / "check.png").stat().st_size > 10_000


def test_right_is_0_and_says_what_a_pass_excludes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("checks.kernels.judge.LOOKS", (500,))
    path = CHECKS / "right" / "grid" / "raster_gibbs.py"
    assert door("--check", path, "--out", tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "is right" in said and "would have been found (9 times in 10)" in said and "evidence off by" in said


def test_a_mistake_by_name_and_a_guide(tmp_path, capsys):
    assert door("--check", "zoo/stale_u", "--out", tmp_path / "a") == 1
    assert "stale_u is WRONG" in capsys.readouterr().out
    assert door("--check", "zoo/kl_half", "--out", tmp_path / "b") == 1
    assert "the ELBO against log p - log q" in capsys.readouterr().out


def test_which_model_a_file_is_for_is_found_out_or_asked(tmp_path, capsys):
    mine = tmp_path / "mine.py"
    mine.write_text('"""Mine."""\ndef transition(rng, latents, model, data):\n    return latents["W"]\n')
    assert door("--check", mine, "--out", tmp_path / "a") == 2
    said = capsys.readouterr().err
    assert "is of another model: its latents are W" in said and "U, V (--problem 3" in said


def test_out_of_budget_is_3(tmp_path, capsys):
    path = CHECKS / "right" / "grid" / "raster_gibbs.py"
    assert door("--check", path, "--out", tmp_path / "out", "--budget", "0.01") == 3
    assert "cannot tell" in capsys.readouterr().out


def test_a_guide_written_in_pyro(tmp_path, capsys):
    """A mistake, and no time to look for one."""
    assert door("--check", "zoo/density_of_another_scale", "--out", tmp_path / "a") == 1
    assert "density_of_another_scale is WRONG" in capsys.readouterr().out
    path = CHECKS / "right" / "guides" / "mean_field.py"
    assert door("--check", path, "--out", tmp_path / "b", "--budget", "0.01") == 3
    assert "the budget of 0.01 processor seconds ends before" in capsys.readouterr().out


@pytest.mark.parametrize(("argv", "says"), [
    (["--check", "row_gibs"], "did you mean 'row_gibbs'"),
    (["--check", "nowhere.py"], "no file nowhere.py"),
    (["--check", "gibbs", "--level", "7"], "between 0 and 0.5"),
    (["--check", "gibbs", "--set", "schedule"], "OPTION=VALUE"),
    (["--check", "gibbs", "--set", "schedule=spiral"], "unknown schedule"),
    (["--check", "gibbs", "--set", "temperature=2"], "unknown option"),
    (["--check", "gibbs", "--budget", "-1"], "budget"),
    (["--check", "maximum_likelihood"], "no distribution"),
    (["--check", "zoo/stale"], "did you mean 'stale_u'"),
    (["--check"], "--check takes the name of a method or guide"),
])
def test_wrong_input_is_a_sentence_and_2(argv, says, tmp_path, capsys):
    assert door(*argv, "--out", tmp_path / "out") == 2
    assert says in capsys.readouterr().err


def test_a_kernel_that_hands_on_any_latents_is_judged_on_the_plain_model(tmp_path):
    """It runs where the noise is learned as well, and is not batched for that."""
    file = tmp_path / "walk.py"
    file.write_text("import torch\n\n\nBATCHED = True\n\n\n"
                    "def transition(rng, latents, model, data):\n"
                    "    new = {site: x + 0.1 * torch.randn(x.shape, generator=rng, dtype=x.dtype)\n"
                    "           for site, x in latents.items()}\n"
                    "    ratio = model.log_joint(new, data) - model.log_joint(latents, data)\n"
                    "    yes = torch.rand(ratio.shape, generator=rng, dtype=ratio.dtype).log() < ratio\n"
                    "    yes = yes[..., None, None]\n"
                    "    return {site: torch.where(yes, new[site], x) for site, x in latents.items()}\n")
    assert found(str(file), kind="factorization").problems.name == "factorization"
    assert found(str(file), problems="ladder").problems.name == "ladder"
    assert found("zoo/variance_as_sd").problems.name == found("ladder_gibbs").problems.name == "ladder"
    with pytest.raises(InputError, match="row_gibbs is a method of Problem 2 or 3, not of Problem 1"):
        found("row_gibbs", kind="grid")


@pytest.mark.parametrize("body", [
    "BATCHED = True\ndef transition(rng, latents, model, data):\n    return {s: latents[s] + 0.1 for s in 'UV'}\n",
    "import torch\ndef start(rng, model, data):\n    return {'a': torch.zeros(2, dtype=torch.float64)}\n"
    "def sample(params, noise):\n    return noise\ndef log_density(params, latents):\n    return 0\n"
    "def elbo(model, data, params, noise, batch=None):\n    return 0\n",
    "import pyro\ndef guide(data):\n    pass\n",
], ids=["kernel", "functions", "pyro"])
def test_a_file_is_executed_once(tmp_path, capsys, body):
    mine = tmp_path / "mine.py"
    mine.write_text(f'"""Mine."""\nprint("EXECUTED")\n{body}')
    assert door("--check", mine, "--out", tmp_path / "out") == (1 if "transition" in body else 2)
    assert capsys.readouterr().out.count("EXECUTED") == 1


def test_what_is_two_things_is_asked_about(tmp_path, capsys):
    assert door("--check", "mean_field", "--out", tmp_path / "a") == 2
    said = capsys.readouterr().err
    assert "mean_field is more than one thing" in said and "--problem 1" in said and "guide_mean_field_pyro" in said
    assert door("--check", "mean_field", "--problem", "1", "--out", tmp_path / "b") == 0
    assert "mean_field is right" in capsys.readouterr().out
    assert door("--check", "mean_field", "--problem", "2", "--out", tmp_path / "c", "--budget", "0.01") == 3
    assert "guide_mean_field_pyro" in capsys.readouterr().out
