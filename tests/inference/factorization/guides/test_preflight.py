"""What is wrong with a guide, one planted fault each, in one sentence and before anything runs."""

from textwrap import dedent

import pytest
import torch

from errors import InputError
from inference import load
from tests.inference.factorization.guides.test_from_guide import HEAD
from tests.support.small_ratings import some_ratings

LIBRARY = [name for name in load.names("factorization") if name.startswith("guide_")]
FAULTS = {
    "U is not drawn": ("""
        def guide(model, data):
            normal("V", "items", model.sites["V"])
        """, r"does not draw the site U, .*add pyro.sample\(\"U\", ...\) of shape \(8, 2\)"),
    "a site too many": ("""
        def guide(model, data):
            both(model)
            normal("W", "more", model.sites["U"])
        """, r"draws the site W, which the model does not have \(it has U, V\): rename it"),
    "the observed site": ("""
        def guide(model, data):
            both(model)
            pyro.sample("r", dist.Normal(torch.zeros(3), 1.0).to_event(1), obs=torch.zeros(3))
        """, "has the observed site r: a guide draws only what is latent, U, V"),
    "without to_event": ("""
        def guide(model, data):
            normal("V", "items", model.sites["V"])
            mean = pyro.param("m", torch.zeros(model.sites["U"]))
            with pyro.plate("users", model.num_users):
                pyro.sample("U", dist.Normal(mean, 1.0))
        """, r"mine.py, line \d+: the site U has 2 entries where its plate users has 8: add .to_event\(1\)"),
    "a number a row": ("""
        def guide(model, data):
            normal("V", "items", model.sites["V"])
            normal("U", "users", (model.num_users,))
        """, r"draws U with the shape \(8, 8\), and the model has \(8, 2\): .*.to_event\(1\) and 2 entries a row"),
    "a plate twice": ("""
        def guide(model, data):
            both(model)
            normal("W", "users", model.sites["U"])
        """, r"mine.py, line \d+: two sites or plates are called 'users'"),
    "one column": ("""
        def guide(model, data):
            normal("V", "items", model.sites["V"])
            normal("U", "users", (model.num_users, 1))
        """, r"draws U with the shape \(8, 1\), and the model has \(8, 2\): .*2 entries a row \(model.rank\)"),
    "no plate": ("""
        def guide(model, data):
            normal("V", "items", model.sites["V"])
            mean = pyro.param("m", torch.zeros(model.sites["U"]))
            pyro.sample("U", dist.Normal(mean, 1.0))
        """, r"draws U outside of any plate, with the batch shape \(8, 2\): write it inside pyro.plate"),
    "the wrong plate": ("""
        def guide(model, data):
            normal("V", "items", model.sites["V"])
            normal("U", "rows", model.sites["U"])
        """, r"draws U in the plate rows, and the model in users"),
    "a subsample": ("""
        def guide(model, data):
            normal("V", "items", model.sites["V"])
            mean = pyro.param("m", torch.zeros(model.sites["U"]))
            with pyro.plate("users", model.num_users, subsample_size=3) as i:
                pyro.sample("U", dist.Normal(mean[i], 1.0).to_event(1))
        """, r"takes a subsample in its plate users, 3 of 8: only ratings come in minibatches"),
    "its own ratings": ("""
        def guide(model, data, batch_size=None, batch=None):
            both(model)
            with pyro.plate("ratings", len(data), subsample_size=5):
                pass
        """, "takes a subsample in its plate ratings, 5 of 30"),
    "scaled": ("""
        def guide(model, data):
            normal("V", "items", model.sites["V"])
            with poutine.scale(scale=0.5):
                normal("U", "users", model.sites["U"])
        """, "has the site U scaled by 0.5, which the model has not"),
    "masked": ("""
        def guide(model, data):
            normal("V", "items", model.sites["V"])
            with poutine.mask(mask=torch.arange(model.num_users) > 1):
                normal("U", "users", model.sites["U"])
        """, "has the site U masked"),
    "single precision": ("""
        def guide(model, data):
            normal("V", "items", model.sites["V"])
            mean = pyro.param("m", torch.zeros(model.sites["U"], dtype=torch.float32))
            with pyro.plate("users", model.num_users):
                pyro.sample("U", dist.Normal(mean, torch.ones((), dtype=torch.float32)).to_event(1))
        """, "draws U in float32: make its parameters in float64"),
    "nothing to fit": ("""
        def guide(model, data):
            for site, plate in (("U", "users"), ("V", "items")):
                with pyro.plate(plate, model.sites[site][0]):
                    pyro.sample(site, dist.Normal(torch.zeros(model.sites[site]), 1.0).to_event(1))
        """, "has no parameters, so there is nothing to fit"),
    "a scale of 0": ("""
        def guide(model, data):
            both(model)
        def start(rng, model, data):
            return {"U_sd": torch.full(model.sites["U"], -1.0).double()}
        """, "starts with a parameter U_sd that is not finite"),
    "detached": ("""
        def guide(model, data):
            normal("V", "items", model.sites["V"])
            mean = pyro.param("m", torch.zeros(model.sites["U"]))
            with pyro.plate("users", model.num_users):
                pyro.sample("U", dist.Normal(mean.detach(), 1.0).to_event(1))
        """, "has a parameter m that no draw depends on"),
    "an infinite slope": ("""
        def guide(model, data):
            normal("V", "items", model.sites["V"])
            mean = pyro.param("m", torch.zeros(model.sites["U"])).sqrt()
            with pyro.plate("users", model.num_users):
                pyro.sample("U", dist.Normal(mean, 1.0).to_event(1))
        """, "has a gradient that is not finite in its parameter m"),
    "noise of its own": ("""
        import os
        def guide(model, data):
            normal("V", "items", model.sites["V"])
            mean = pyro.param("m", torch.zeros(model.sites["U"]))
            with pyro.plate("users", model.num_users):
                pyro.sample("U", dist.Normal(mean + os.urandom(4)[0], 1.0).to_event(1))
        """, "draws differently from the same seed"),
    "a module outside": ("""
        net = torch.nn.Linear(1, 2).double()
        def guide(model, data):
            pyro.module("net", net)
            normal("V", "items", model.sites["V"])
            with pyro.plate("users", model.num_users):
                pyro.sample("U", dist.Normal(net(torch.ones(model.num_users, 1)), 0.3).to_event(1))
        """, "starts its parameter .* elsewhere when it is made again: a module made outside of the guide"),
    "draws and density apart": ("""
        class Clipped(dist.Normal):
            def rsample(self, shape=torch.Size()):
                return super().rsample(shape).clamp(-0.2, 0.2)
        def guide(model, data):
            normal("V", "items", model.sites["V"])
            mean = pyro.param("m", torch.full(model.sites["U"], 2.0))
            with pyro.plate("users", model.num_users):
                pyro.sample("U", Clipped(mean, 1.0).to_event(1))
        """, r"draws U otherwise than its density says: over 100 runs .* differ by -?\d+"),
    "start of a stranger": ("""
        def guide(model, data):
            both(model)
        def start(rng, model, data):
            return {"U_men": torch.zeros(model.sites["U"])}
        """, "unknown parameter in what `start` of mine gives 'U_men': did you mean 'U_mean'"),
    "start of another shape": ("""
        def guide(model, data):
            both(model)
        def start(rng, model, data):
            return {"U_mean": torch.zeros(3)}
        """, r"`start` of mine gives U_mean the shape \(3,\), and the guide \(8, 2\)"),
    "a parameter without a value": ("""
        def guide(model, data):
            pyro.param("U_mean")
        """, r"mine.py, line \d+: pyro.param\('U_mean'\) has no value yet"),
    "an argument of its own": ("""
        def guide(model, data, temperature):
            both(model)
        """, "guide has an argument temperature: a guide takes some of model, data, batch_size, batch"),
    "an option without default": ("""
        def guide(model, data, *, temperature):
            both(model)
        """, "the option temperature of guide has no default"),
    "a slip": ("""
        def guide(model, data):
            both(model)
            model.sites["W"]
        """, r"mine.py, line \d+: KeyError: 'W'"),
}


def ask(method, rng, model, data) -> None:
    assert method.preflight
    method.preflight(rng, method.init(rng, model, data), model, data)


def refusal(path) -> str:
    model, data = some_ratings(8, 5, 30, rank=2)
    rng = torch.Generator().manual_seed(0)
    with pytest.raises(InputError) as error:
        method = load.method("factorization", str(path))
        ask(method, rng, model, data)
    return str(error.value)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_is_said_in_one_sentence(fault, tmp_path):
    source, said = FAULTS[fault]
    path = tmp_path / "mine.py"
    path.write_text(HEAD + dedent(source))
    message = refusal(path)
    assert len(message.splitlines()) == 1 and message[0] != " "
    with pytest.raises(InputError, match=said):
        raise InputError(message)


def test_a_row_spread_over_the_plate_at_rank_one(tmp_path):
    """Where K = 1 Pyro broadcasts (8, 1) to (8, 8) without a word."""
    path = tmp_path / "mine.py"
    path.write_text(HEAD + dedent("""
        def guide(model, data):
            normal("V", "items", model.sites["V"])
            mean = pyro.param("m", torch.zeros(model.sites["U"]))
            with pyro.plate("users", model.num_users):
                pyro.sample("U", dist.Normal(mean, 1.0))
        """))
    model, data = some_ratings(8, 5, 30, rank=1)
    method, rng = load.method("factorization", str(path)), torch.Generator()
    with pytest.raises(InputError, match=r"draws U with the shape \(8, 8\), and the model has \(8, 1\).*to_event\(1\)"):
        ask(method, rng, model, data)


@pytest.mark.parametrize("name", [n for n in LIBRARY if n != "guide_mean_field_pyro"])
def test_the_library_passes(name):
    """A false alarm of the comparison of losses: 100 runs, 8 standard errors, 1e-11."""
    model, data = some_ratings(8, 5, 30, rank=2)
    method, rng = load.method("factorization", name), torch.Generator().manual_seed(0)
    ask(method, rng, model, data)
