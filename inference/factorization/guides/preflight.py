"""What is wrong with a guide, said in one sentence before anything long runs.

Asked of one run each at the real size: sites, shapes, precision, plates, scales, subsamples; the same seed twice,
and a guide made twice; a gradient for every parameter. `Trace_ELBO` and `TraceMeanField_ELBO` must agree: on the same
noise they have the same likelihood, and what sets them apart is, site by site,

    log q(x) - log p(x) - KL(q || p)

whose mean must be zero: within 8 standard errors over 100 runs (a false alarm in 1e11), or 30 over 8 runs at large
sizes (in 1e7), where an error in every row stands out by hundreds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress

import pyro.poutine as poutine
import torch
from pyro.infer import TraceMeanField_ELBO
from pyro.poutine import Trace
from torch import Tensor
from torch.distributions import kl_divergence

from errors import InputError, last_line
from inference.factorization.guides.guide import Guide, Site, in_pyro, latent
from models.factorization import Factorization

SMALL = 10_000  # entries up to which the losses are compared more often
FEW, MANY = (8, 30), (100, 8)  # runs, and the standard errors that are no surprise after so many
RATINGS = 1000  # that gradients are taken on, at most
SEED = 1


class Astray(InputError):
    """What is drawn is not what the density says: no fault of form."""


def check(rng: torch.Generator, guide: Guide, params: Mapping[str, Tensor], name: str, again: Callable[[], Guide],
          ) -> None:
    """Errors: InputError for the first fault found in the guide `name`; `again` makes it anew, within `in_pyro`."""
    if not params:
        raise InputError(f"{name} has no parameters, so there is nothing to fit: make them with pyro.param, or "
                         f"PyroParam in a PyroModule")
    for param, value in params.items():
        if not bool(torch.isfinite(value).all()):
            raise InputError(f"{name} starts with a parameter {param} that is not finite: a value outside of its "
                             f"constraint, such as a scale of 0, or a division by zero, is the usual cause")
    with guide.held(rng, params):
        trace, program = guide.trace(), _program(guide)
    _sites(trace, guide.model, name)
    wanted = latent(program)
    for site in guide.model.sites:
        _subsamples(trace, name)
        _shape(latent(trace)[site], wanted[site], guide.model.sites[site], name)
        _scale(latent(trace)[site], name)
    _same_twice(guide, params, name, again)
    _gradients(rng, guide, params, name)
    if isinstance(guide.loss, TraceMeanField_ELBO):
        _losses(rng, guide, params, name)


def _program(guide: Guide) -> Trace:
    one = torch.zeros(1, dtype=torch.int64, device=guide.data.device)
    with torch.no_grad():
        return poutine.trace(guide.model.program).get_trace(guide.data, batch=one)


def _sites(trace: Trace, model: Factorization, name: str) -> None:
    found: Site
    for site, found in trace.nodes.items():
        words = found.get("infer") or {}
        seen = found["type"] == "sample" and found["is_observed"] and not words.get("_deterministic")
        if seen or (site == "r" and found["type"] == "sample"):
            raise InputError(f"{name} has the observed site {site}: a guide draws only what is latent, "
                             f"{', '.join(model.sites)}, so remove it from the guide")
    drawn = latent(trace)
    for site, shape in model.sites.items():
        if site not in drawn:
            raise InputError(f"{name} does not draw the site {site}, which would then come from the prior: add "
                             f"pyro.sample(\"{site}\", ...) of shape {shape}")
    for site, found in drawn.items():
        if site not in model.sites and not found["infer"].get("is_auxiliary"):
            raise InputError(f"{name} draws the site {site}, which the model does not have (it has "
                             f"{', '.join(model.sites)}): rename it, or mark it infer={{\"is_auxiliary\": True}}")


def _subsamples(trace: Trace, name: str) -> None:
    found: Site
    for plate, found in trace.nodes.items():
        fn = found.get("fn")
        if type(fn).__name__ == "_Subsample" and (fn.subsample_size or fn.size) < fn.size:
            raise InputError(f"{name} takes a subsample in its plate {plate}, {fn.subsample_size} of {fn.size}: only "
                             f"ratings come in minibatches, and those the program draws, so leave subsample_size out")


def _shape(site: Site, wanted: Site, shape: tuple[int, ...], name: str) -> None:
    """Shape, precision and plates."""
    what, value, fn = site["name"], site["value"], site["fn"]
    plates, theirs = ([f.name for f in s["cond_indep_stack"]] for s in (site, wanted))
    rows, event = shape[0], len(shape) - 1
    inside = f"write it inside pyro.plate(\"{theirs[0]}\", {rows})" + (f", with .to_event({event})" if event else "")
    if tuple(value.shape) != tuple(shape):
        raise InputError(f"{name} draws {what} with the shape {tuple(value.shape)}, and the model has {shape}: "
                         f"{inside}" + (f" and {shape[-1]} entries a row (model.rank)" if event else ""))
    if value.dtype != torch.float64:
        raise InputError(f"{name} draws {what} in {str(value.dtype).removeprefix('torch.')}: make its parameters "
                         f"in float64, the precision of the model")
    if not plates and fn.batch_shape:
        raise InputError(f"{name} draws {what} outside of any plate, with the batch shape {tuple(fn.batch_shape)}: "
                         f"{inside}, or draw all rows at once with .to_event({len(shape)})")
    if plates and plates != theirs:
        raise InputError(f"{name} draws {what} in the plate {', '.join(plates)}, and the model in "
                         f"{', '.join(theirs)}: {inside}")


def _scale(site: Site, name: str) -> None:
    if site["mask"] is not None or not bool(torch.as_tensor(site["scale"] == 1).all()):
        what = "masked" if site["mask"] is not None else f"scaled by {site['scale']:g}"
        raise InputError(f"{name} has the site {site['name']} {what}, which the model has not, so that its KL would be "
                         f"counted wrongly: remove poutine.scale, poutine.mask or the subsample around it")


def _same_twice(guide: Guide, params: Mapping[str, Tensor], name: str, again: Callable[[], Guide]) -> None:
    runs = []
    for _ in range(2):
        with guide.held(_generator(guide), params):
            runs.append({site: x["value"] for site, x in latent(guide.trace()).items()})
    if any(not torch.equal(runs[0][site], runs[1][site]) for site in runs[0]):
        raise InputError(f"{name} draws differently from the same seed: take all randomness from pyro.sample and "
                         f"torch's global generator, and keep nothing between two calls")
    starts: list[dict[str, Tensor]] = []
    moved: list[tuple[Tensor, Tensor]] = []
    for _ in range(2):
        with in_pyro(_generator(guide), guide.model):
            leaves = again().store["params"]
        starts.append({param: x.detach().clone() for param, x in leaves.items()})
        moved += [(x, x.detach().clone()) for x in leaves.values()]
        with torch.no_grad():
            for x in leaves.values():
                x.add_(1.0)
    with torch.no_grad():
        for x, before in reversed(moved):
            x.copy_(before)
    for param in starts[0]:
        if not torch.equal(starts[0][param], starts[1][param]):
            raise InputError(f"{name} starts its parameter {param} elsewhere when it is made again: a module made "
                             f"outside of the guide keeps what it learned, so make it in a PyroModule or in a function "
                             f"that returns the guide, with torch's random numbers only")


def _gradients(rng: torch.Generator, guide: Guide, params: Mapping[str, Tensor], name: str) -> None:
    with guide.held(rng, params):
        guide.loss.loss_and_grads(guide.model.program, guide.call, guide.data, batch=_few(guide, RATINGS))
        slopes = {param: x.grad for param, x in guide.store["params"].items()}
        for x in guide.store["params"].values():
            x.grad = None
    for param, slope in slopes.items():
        if slope is None:
            raise InputError(f"{name} has a parameter {param} that no draw depends on: use it in a distribution, "
                             f"not detached, or remove it")
        if not bool(torch.isfinite(slope).all()):
            raise InputError(f"{name} has a gradient that is not finite in its parameter {param} at the start: start "
                             f"elsewhere, or look for a division by zero or a logarithm of it")


def _losses(rng: torch.Generator, guide: Guide, params: Mapping[str, Tensor], name: str) -> None:
    entries = sum(math.prod(shape) for shape in guide.model.sites.values())
    runs, errors = FEW if entries > SMALL else MANY
    apart: dict[str, list[float]] = {}
    with guide.held(rng, params), torch.no_grad():
        for _ in range(runs):
            q = poutine.trace(guide.call).get_trace(guide.data, batch=_few(guide, 1))
            p = poutine.trace(poutine.replay(guide.model.program, trace=q)).get_trace(guide.data, batch=_few(guide, 1))
            q.compute_log_prob()
            p.compute_log_prob()
            for site in guide.model.sites:
                with suppress(NotImplementedError):  # no closed form: TraceMeanField_ELBO samples it as well
                    closed = kl_divergence(latent(q)[site]["fn"], latent(p)[site]["fn"]).sum()
                    sampled = q.nodes[site]["log_prob_sum"] - p.nodes[site]["log_prob_sum"]
                    apart.setdefault(site, []).append(float(sampled - closed))
    for site, each in apart.items():
        mean = math.fsum(each) / runs
        error = math.sqrt(math.fsum((x - mean) ** 2 for x in each) / (runs - 1) / runs)
        if not abs(mean) <= errors * error + 1e-6:
            raise Astray(f"{name} draws {site} otherwise than its density says: over {runs} runs log q - log p, in "
                         f"Trace_ELBO, and the closed KL of TraceMeanField_ELBO differ by {mean:.4g} nats, "
                         f"standard error {error:.2g}; look for an rsample or a log_prob that was changed")


def _few(guide: Guide, most: int) -> Tensor:
    """Positions of the first ratings."""
    return torch.arange(min(most, len(guide.data)), device=guide.data.device)


def _generator(guide: Guide) -> torch.Generator:
    return torch.Generator(device=guide.model.device).manual_seed(SEED)


def explained(error: Exception, file: str) -> str:
    """What a guide raised, as a sentence about its file and line."""
    text = (str(error) or type(error).__name__).splitlines()[0]
    where = f"{file}, line {last_line(error, file)}"
    plate = re.search(r"Shape mismatch inside plate\('(\w+)'\) at site (\w+) dim (-?\d+), (\d+) vs (\d+)", str(error))
    if plate:
        name, site, _, size, found = plate.groups()
        return (f"{where}: the site {site} has {found} entries where its plate {name} has {size}: add .to_event(1) "
                f"to a distribution with a row of entries, or give the plate its size")
    twice = re.match(r"Multiple sample sites named '(.*)'", text)
    if twice:
        return (f"{where}: two sites or plates are called '{twice[1]}': give each a name, and open a "
                f"plate once for all that is drawn in it")
    if isinstance(error, KeyError) and _deepest(error).endswith("param_store.py"):
        return f"{where}: pyro.param({text}) has no value yet: give it a first one, pyro.param({text}, lambda: ...)"
    return f"{where}: {type(error).__name__}: {text}"


def _deepest(error: Exception) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename if trace else ""
