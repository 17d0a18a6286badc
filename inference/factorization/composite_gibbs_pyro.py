"""The ladder's Gibbs sampler put together from blocks inside Pyro: conditionals beside each other, or beside NUTS.

    Gibbs(model.program, [(rows, ["U", "V", ...]), (noise, ["sigma2"]), (hyper, ["mean_U", "precision_U", ...])])

The same sweep as `ladder_gibbs`, in the order rows, noise, effects of time, hyperparameters; `noise_by` gives the noise
variance to NUTS instead (adapted in the first `warmup` sweeps), which needs no conditional. Cost of a step: as
`ladder_gibbs`, and the transforms of `precision_U` and `precision_V` there and back.

Options:

    noise_by   what draws the noise variance: its conditional, or NUTS
    warmup     sweeps in which NUTS adapts its step size
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from pyro.infer import NUTS
from torch import Tensor

from errors import unknown
from inference.engine import Engine, choose
from inference.factorization import ladder_gibbs
from inference.factorization.compiled.normals import normals
from inference.factorization.parts import ordinal
from inference.generators import global_one
from inference.method import Family, Info, Latents
from inference.pyro import from_kernel
from inference.pyro.from_kernel import State, draw
from inference.pyro.gibbs import Block, Gibbs
from models.factorization import Factorization
from models.ladder import Ladder
from models.ordinal import Ordinal
from models.ratings import Ratings
from models.timed import Timed

FAMILY = Family.MCMC
NoiseBy = Literal["conditional", "nuts"]

__all__ = ["FAMILY", "State", "blocks", "draw", "init", "kernel", "start", "step"]


def blocks(model: Factorization, noise_by: str = "conditional", engine: str = "auto") -> list[Block]:
    """What `Gibbs` is made of, for this model."""
    engine = choose("composite_gibbs_pyro", engine, torch.device(model.device))
    ladder = model if isinstance(model, Ladder) else None
    row_sites = ["U", "V"] + (["user_bias", "item_bias"] if ladder and ladder.biases else [])
    found: list[Block] = [(partial(_rows, model, engine, row_sites), row_sites)]
    if ladder and ladder.noise:
        how = partial(NUTS, max_tree_depth=4) if noise_by == "nuts" else partial(_noise, ladder, engine)
        found.append((how, ["sigma2"]))
    if ladder and ladder.noise_per_user:
        found.append((partial(_noise_of_users, ladder, engine), ["precision_user"]))
    if isinstance(model, Timed):
        found.append((partial(_time, model, engine), list(model.of_time.sites)))
    if isinstance(model, Ordinal):
        found.append((partial(_cutpoints, model, engine), ["cutpoints"]))
    if ladder and ladder.hierarchical:
        more = [site for site in ladder.sites if site.startswith(("weights", "ridge"))]
        found.append((partial(_hyper, ladder), ["mean_U", "precision_U", "mean_V", "precision_V", *more]))
    return found


def kernel(model: Factorization, noise_by: str = "conditional", engine: str = "auto") -> Gibbs:
    """For pyro.infer.MCMC: `MCMC(kernel(model), ...).run(data)`."""
    return Gibbs(model.program, blocks(model, noise_by, engine))


def init(rng: torch.Generator, model: Factorization, data: Ratings, *, noise_by: NoiseBy = "conditional",
         warmup: int = 0, engine: Engine = "auto") -> State:
    return start(rng, model, data, None, noise_by=noise_by, warmup=warmup, engine=engine)


def start(rng: torch.Generator, model: Factorization, data: Ratings, latents: Latents | None, *,
          noise_by: NoiseBy = "conditional", warmup: int = 0, engine: Engine = "auto") -> State:
    if noise_by not in ("conditional", "nuts"):
        raise unknown("noise_by of composite_gibbs_pyro", noise_by, ("conditional", "nuts"))
    return from_kernel.begin(rng, model, data, lambda model: kernel(model, noise_by, engine), warmup, latents,
                             {"noise_by": noise_by, "engine": engine})


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    return from_kernel.advance(rng, state, model, data, lambda model: kernel(model, **state.options))


def _working(model: Factorization, engine: str, values: Latents, data: Ratings) -> Tensor | None:
    """y of a model of levels, which is no site: it is drawn for a block, and forgotten."""
    if not isinstance(model, Ordinal):
        return None
    eta = ladder_gibbs.linear(model, values, data, engine)
    return ordinal.latent_ratings(global_one(model.device), values["cutpoints"], eta, model.codes(data), engine)


def _rows(model: Factorization, engine: str, sites: list[str], values: Latents, data: Ratings) -> Latents:
    working = _working(model, engine, values, data)
    z_U, z_V = (normals(global_one(model.device), n, model.width) for n in (model.num_users, model.num_items))
    new = ladder_gibbs.rows(model, values, data, z_U, z_V, engine, working)
    return {site: new[site] for site in sites}


def _cutpoints(model: Ordinal, engine: str, values: Latents, data: Ratings) -> Latents:
    eta, code = ladder_gibbs.linear(model, values, data, engine), model.codes(data)
    return {"cutpoints": ordinal.cutpoints(global_one(model.device), model, values["cutpoints"], eta, code, engine)}


def _noise(model: Ladder, engine: str, values: Latents, data: Ratings) -> Latents:
    return ladder_gibbs.noise(global_one(model.device), model, values, data, engine)


def _noise_of_users(model: Ladder, engine: str, values: Latents, data: Ratings) -> Latents:
    return ladder_gibbs.noise_of_users(global_one(model.device), model, values, data, engine)


def _time(model: Timed, engine: str, values: Latents, data: Ratings) -> Latents:
    working = _working(model, engine, values, data)
    return ladder_gibbs.time(global_one(model.device), model, values, data, engine, working)


def _hyper(model: Ladder, values: Latents, data: Ratings) -> dict[str, Tensor]:
    return ladder_gibbs.normal_wishart(global_one(model.device), model, values)
