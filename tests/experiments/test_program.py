"""A program of the user's at the door: what is run, printed, drawn, saved, refused and gone on with."""

import json

import numpy as np
import pytest

import run
from experiments.program import defaults, words
from experiments.program.measures import Errors, Numbers, Whole, khat, loo, names, reference
from experiments.program.study import Study
from inference import load
from inference.diagnostics import worst_rhat
from inference.program.parts.moments import WEIGHTS, sd_of
from inference.result import Result
from tests.support.programs import HEAD, NORMAL, SCHOOLS, SWITCH, normal_posterior, program


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def door(*argv: object) -> int:
    return run.guarded([str(word) for word in argv])


def test_a_run_of_everything_that_suits_a_program(folder, capsys):
    (folder / "mine.py").write_text(NORMAL + "\ndef my_guide(y):\n    m = pyro.param('m', torch.tensor(0.))\n"
                                    "    pyro.sample('mu', dist.Normal(m, 0.3))\n")
    assert door("--problem", "mine.py", "--out", "out", "--sweeps", 30, "--chains", 2) == 0
    said = capsys.readouterr().out
    assert "mine.py: latent mu; observed y[4]" in said and "held against quadrature, which is exact" in said
    made = {path.name for path in (folder / "out").iterdir()}
    assert {"marginals.png", "forest.png", "predictive.png", "chains.png", "summary.json", "quadrature.nc",
            "nuts_pyro.nc", "laplace.nc", "guide_normal_pyro.nc", "mine_my_guide.nc"} <= made
    assert json.loads((folder / "out" / "report.json").read_text())["title"] == "mine.py"
    summary = json.loads((folder / "out" / "summary.json").read_text())
    by_name = {entry["name"]: entry for entry in summary["methods"]}
    mean, sd, log_p = normal_posterior(program(folder, NORMAL).data["y"])
    assert abs(by_name["quadrature"]["numbers"]["mu"]["mean"] - mean) < 1e-8 and by_name["quadrature"]["reference"]
    assert abs(by_name["laplace"]["log_evidence"] - log_p) < 1e-6  # exact, the posterior being normal
    off = by_name["mine_my_guide"]["numbers"]["mu"]
    assert abs(off["error_sd"] - (off["mean"] - mean) / sd) < 1e-9


@pytest.mark.usefixtures("undrawn")
def test_it_is_compared_and_gone_on_with(folder, capsys):
    (folder / "mine.py").write_text(SWITCH)
    assert door("--problem", "mine.py", "--method", "enumeration", "--method", "composite_gibbs_pyro", "--sweeps", 20,
                "--chains", 2, "--bare", "--out", "out") == 0
    lines = json.loads((folder / "out" / "summary.json").read_text())["methods"]
    draws = Result.load(folder / "out" / "composite_gibbs_pyro.nc").draws
    assert lines[1]["rhat"] == worst_rhat(np.concatenate([draws["z"][..., None], draws["k"]], -1).astype(float))
    assert lines[0]["rhat"] is None
    assert door("compare", "out", "--out", "compared") == 0
    (folder / "out" / "composite_gibbs_pyro.nc").unlink()
    assert door("--resume", "out") == 2
    assert "name mine.py again" in capsys.readouterr().err
    assert door("--resume", "out", "--problem", "mine.py") == 0
    (folder / "mine.py").write_text(SWITCH.replace("0.3)", "0.4)"))
    assert door("--resume", "out", "--problem", "mine.py") == 2
    assert "mine.py: not as when the run" in capsys.readouterr().err


@pytest.mark.usefixtures("undrawn")
def test_a_sweep(folder, capsys):
    (folder / "mine.py").write_text(NORMAL)
    assert door("--problem", "mine.py", "--method", "laplace", "--sweep", "seed=0-1", "--out", "swept") == 0
    assert "2 of 2 runs finished" in capsys.readouterr().out


DETERMINISTIC = NORMAL.replace("    with pyro.plate", '    pyro.deterministic("twice", 2 * mu)\n    with pyro.plate', 1)


@pytest.mark.usefixtures("undrawn")
def test_deterministic_sites_are_reported_as_the_latent_ones(folder, capsys):
    """Means, sds and errors of 2 mu are twice those of mu, exact ones too."""
    (folder / "mine.py").write_text(DETERMINISTIC)
    assert door("--problem", "mine.py", "--method", "quadrature", "--method", "laplace", "--out", "out") == 0
    assert "twice" in capsys.readouterr().out
    for entry in json.loads((folder / "out" / "summary.json").read_text())["methods"]:
        mu, twice = entry["numbers"]["mu"], entry["numbers"]["twice"]
        assert np.isclose(twice["mean"], 2 * mu["mean"]) and np.isclose(twice["sd"], 2 * mu["sd"])


def test_the_table_has_the_worst_number_of_every_site_and_loop(folder):
    """x0, x1, x2 are one: so b[1], the worst of all, x2 and a are the first three of six numbers."""
    draws = {"a": np.zeros((1, 9)), "b": np.zeros((1, 9, 2)), **{f"x{k}": np.zeros((1, 9)) for k in range(3)}}
    study = Study.__new__(Study)
    vars(study).update(quantities=[draws], order=[2, 5, 1, 4, 3, 0])
    assert study.shown(3) == [2, 5, 0] and study.shown(4) == [2, 5, 0, 1]


@pytest.mark.parametrize(("argv", "words"), [
    (("--problem", "absent.py"), "no file absent.py"),
    (("--problem", "mine.py:model"), "give the file alone"),
    (("--problem", "mine"), "or a file with a Pyro program of your own"),
    (("--problem", "mine.py", "--method", "nuts"), "unknown method 'nuts'"),
    (("--problem", "mine.py", "--method", "laplace", "--chains", "3"), "--chains would change nothing"),
    (("--problem", "mine.py", "--method", "enumeration"), "mu is continuous"),
    (("--problem", "mine.py", "--guide", "normal", "--set", "lr=-1"), "the learning rate must be"),
    (("--problem", "mine.py", "--method", "laplace", "--draws", "100000000000"), "between 1 and 1,000,000"),
    (("--problem", "broken.py"), "broken.py has no function `data`"),
])
def test_bad_input_is_one_sentence(folder, argv, words, capsys):
    (folder / "mine.py").write_text(NORMAL)
    (folder / "broken.py").write_text(HEAD + "def model(y):\n    pass\n")
    before = sorted(folder.iterdir())
    assert door(*argv) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert [path for path in sorted(folder.iterdir()) if path.name != "__pycache__"] == before


def made(name: str, family: str, draws: np.ndarray, by: str = "pyro",
         expected: dict[str, object] | None = None) -> Result:
    return Result(name, family, by, {"x": draws}, {k: np.array(v) for k, v in (expected or {}).items()}, {},
                  np.full(draws.shape[:2], 0.01), None, None, None, 0, {})


def test_errors_are_in_standard_errors_and_in_posterior_sds():
    """100 draws of mean 2 and sd 1 against an exact mean of 1 and sd 2."""
    draws = np.tile([1.0, 3.0], 50)[None]
    one = Numbers.of(made("guide", "variational", draws), {"x": draws})
    exact = Numbers.of(made("quadrature", "exact", draws, expected={"x": 1.0, sd_of("x"): 2.0}), {"x": draws})
    found = Errors.of(one, exact)
    assert np.isclose(found.z[0], 1 / np.sqrt(1 / 100)) and np.isclose(found.sds[0], 0.5)
    assert np.isclose(found.ratio[0], 0.5) and np.isclose(found.ratio_z[0], np.log(0.5) / np.sqrt(1 / 200))
    assert np.isclose(found.distance, np.log(2))


def test_draws_that_are_all_alike_are_not_infinitely_far_off():
    """700 draws of 1 against p = 0.9999: by chance, MCSE 0.01 / sqrt(700); against draws that are alike there is no
    sd."""
    ones = Numbers(["z"], np.array([1.0]), np.array([0.0]), np.array([700.0]))
    exact = Numbers(["z"], np.array([0.9999]), np.array([0.01]), np.array([np.inf]))
    found = Errors.of(ones, exact)
    assert np.isclose(found.z[0], 1e-4 * np.sqrt(700) / 0.01) and np.isclose(found.sds[0], 0.01)
    assert np.isnan(Errors.of(exact, ones).sds[0]) and Errors.of(exact, ones).distance == 0


MOVING = """
def model(y):
    a = pyro.sample("a", dist.Normal(0., 1.))
    high = pyro.sample("high", dist.Exponential(1.))
    x = pyro.sample("x", dist.Uniform(0., high))
    pyro.sample("y", dist.Normal(x + a, 1.), obs=y)
def data():
    return torch.tensor(0.7)
"""


CAUGHT = HEAD + """
def model(n, u):
    N = pyro.sample("N", dist.Categorical(logits=torch.where(torch.arange(70) < 40, -1e30, 0.)))
    p = pyro.sample("p", dist.Beta(1., 1.))
    pyro.sample("u", dist.Binomial(N.double() - n, p), obs=u)

def data():
    return torch.tensor(20.), torch.tensor(9.)
"""


@pytest.mark.parametrize(("text", "chosen", "says"), [
    (HEAD + MOVING, ["composite_gibbs_pyro"], "the support of the site x changes with high, and NUTS would keep"),
    (HEAD + MOVING.replace("Uniform(0., high)", "Poisson(high)"), ["composite_gibbs_pyro"],
     "the discrete sites cannot be summed out: the site x has values without end"),
    (HEAD + MOVING.replace("Uniform(0., high)", "Bernoulli(torch.exp(-high))"),
     ["quadrature", "nuts_pyro", "laplace", "guide_normal_pyro", "guide_multivariate_normal_pyro"],
     "Discrete sites (x) are summed out by quadrature, nuts_pyro, laplace, guide_normal_pyro,"),
    (CAUGHT, ["composite_gibbs_pyro"], "log p of the site u is NaN at some of the values of N, as that of a Binomial"),
    (SWITCH, ["enumeration", "composite_gibbs_pyro"], "every site is discrete, and NUTS moves continuous ones"),
    (NORMAL, ["quadrature", "nuts_pyro", "laplace", "guide_normal_pyro", "guide_multivariate_normal_pyro"], ""),
])
def test_what_is_chosen_is_said_where_it_is_not_as_expected(folder, text, chosen, says):
    model = program(folder, text)
    assert defaults.methods(model) == chosen
    said = defaults.said(model, [load.method("program", name) for name in chosen], asked=False)
    assert says in "".join(said) and bool(said) == bool(says)


def test_loo_is_the_density_of_each_number_given_the_others(folder):
    """In closed form, y_i given the others is normal about their posterior mean; 6 standard errors of 4,000 draws,
    whose weights have a standard deviation below 1."""
    model = program(folder, NORMAL)
    y = model.data["y"].numpy()
    exact = 0.0
    for k in range(len(y)):
        others = np.delete(y, k)
        precision = 1 / 4 + len(others) / 0.25
        mean, variance = (1 / 4 + others.sum() / 0.25) / precision, 1 / precision + 0.25
        exact += -0.5 * (y[k] - mean) ** 2 / variance - 0.5 * np.log(2 * np.pi * variance)
    mean, sd, _ = normal_posterior(model.data["y"])
    draws = mean + sd * np.random.default_rng(0).normal(size=(1, 1000))
    result = Result("q", "variational", "hand", {"mu": draws}, {}, {}, np.ones((1, 1)), None, None, None, 0, {})
    found, _ = loo(result, model)
    assert found is not None and abs(found - exact) < 4 * 6 / np.sqrt(1000)


def test_what_a_mask_hides_is_no_datum(folder):
    """Two of four numbers are masked, by a handler or the distribution: LOO and the predictive check have the others.
    """
    half = program(folder, NORMAL.replace("    return torch.tensor([1.2, 0.3, 2.2, 1.9])",
                                          "    return torch.tensor([1.2, 2.2])"))
    result = Result("q", "variational", "hand", {"mu": np.random.default_rng(0).normal(1.6, 0.4, (1, 200))}, {}, {},
                    np.ones((1, 1)), None, None, None, 0, {})
    known = "torch.tensor([True, False, True, False])"
    for observed in (f"dist.Normal(mu, 0.5).mask({known}), obs=y", "dist.Normal(mu, 0.5), obs=y, infer={}"):
        text = NORMAL.replace("dist.Normal(mu, 0.5), obs=y", observed)
        if "infer" in observed:
            text = text.replace("    with pyro.plate", f"    with pyro.poutine.mask(mask={known}), pyro.plate")
        masked = program(folder, text)
        study = Study(None, masked, [result])  # type: ignore[arg-type]
        assert study.observed.tolist() == [1.2, 2.2]
        assert loo(result, masked)[0] == pytest.approx(loo(result, half)[0])


def test_khat_tells_a_q_that_is_too_narrow():
    """Of p = N(0, 1): q = N(0, 1.2^2) has bounded weights, q = N(0, 0.4^2) weights without a variance."""
    z = np.random.default_rng(0).normal(size=4000)
    for scale, trusted in ((1.2, True), (0.4, False)):
        weights = -0.5 * (scale * z) ** 2 + 0.5 * z**2 + np.log(scale)
        value = khat(made("q", "variational", scale * z[None], expected={WEIGHTS: weights}))
        assert value is not None and (value < 0.7) == trusted


def test_the_reference_is_exact_or_mixed_or_none():
    rng = np.random.default_rng(0)
    chains = made("nuts_pyro", "mcmc", rng.normal(size=(2, 400)))
    exact = made("quadrature", "exact", rng.normal(size=(1, 400)), expected={"x": 0.0, sd_of("x"): 1.0})
    good, better, bad = (Whole(None, rhat, ess, None, None)
                         for rhat, ess in ((1.005, 400.0), (1.002, 700.0), (1.02, 9.0)))
    none = Whole(None, None, None, None, None)
    assert reference([chains, exact], [good, none]) == 1
    assert reference([chains, chains, chains], [good, better, bad]) == 1
    assert reference([chains], [bad]) is None


def test_sentences_say_what_did_not_converge_and_what_is_off(folder):
    rng = np.random.default_rng(0)
    model = program(folder, NORMAL.replace("mu", "x"))
    apart = made("nuts_pyro", "mcmc", rng.normal(size=(2, 400)) + np.array([[0.0], [3.0]]))
    off = made("my_kernel", "mcmc", rng.normal(size=(2, 4000)) + 1.0, by="user")
    exact = made("quadrature", "exact", rng.normal(size=(1, 400)), expected={"x": 0.0, sd_of("x"): 1.0})
    study = Study(None, model, [exact, apart, off])  # type: ignore[arg-type]
    study.__dict__["wholes"] = [Whole(None, None, None, None, None), Whole(None, 1.8, 5.0, None, None),
                                Whole(None, 1.0, 8000.0, None, None)]
    assert words.judged(study) == "The others are held against quadrature, which is exact."
    assert words.unmixed(study) == ["nuts_pyro has not been seen to converge (R-hat is 1.800, and should be below "
                                    "1.01): give more --sweeps."]
    assert any(line.startswith("my_kernel is off: its mean of x is 1 posterior sds from") for line in words.off(study))


def test_numbers_are_named_by_site_and_place():
    assert names({"mu": (), "theta": (2, 1)}) == ["mu", "theta[0, 0]", "theta[1, 0]"]


@pytest.mark.slow
def test_a_default_method_that_is_not_for_it_is_left_out_and_said(folder, capsys):
    (folder / "mine.py").write_text(SCHOOLS)
    assert door("--problem", "mine.py", "--out", "out", "--sweeps", 12, "--chains", 1) == 0
    said = capsys.readouterr().out
    assert "Left out: laplace: the log density has no peak" in said and "Nothing here can judge the others" in said
