"""Methods on a device beside the CPU, and other people's software there: `python bench/device.py PART ROWS`.

    PART   grid, ratings, svi, numpyro or pgmax: measure, and add a line a row to the file ROWS; table: print them
    --device cuda, or cpu: a rehearsal of the torch engine
    --quick small sizes; what it compiles, a second call has

Seconds are of a step, each side through the method's public `step`: the CPU's compiled kernels on all cores, the
device's in torch; medians, in double precision. Differences are of the same steps from the same start and noise, but
for SVI, whose minibatches differ: there it is of the ELBO, relatively. `bench/device.sh` runs all of it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from factorization import DECAY, LR, halves, sized
from grid import marginals, noisy
from measure import say_machine, seconds, show
from peers_factorization import numpyro_svi
from peers_grid import pgmax_bp

from data.ratings import Ratings, load_ratings
from inference import load
from inference.factorization import row_gibbs
from inference.factorization.parts.stochastic import init
from inference.factorization.predictive import Predictive
from inference.job import generator
from inference.method import Family, Method
from inference.threads import torch_on_one_thread
from models.factorization import Factorization
from models.ladder import Ladder

SWEEPS = 10  # in one measurement, on grids
GRIDS = ((640, 2), (640, 8), (2048, 2))
FOLLOWED: dict[str, dict[str, Any]] = {
    "loopy_bp": {"track": False}, "mean_field": {"schedule": "checkerboard"}, "gibbs": {}}
Say = Callable[..., None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=(*PARTS, "table"))
    parser.add_argument("rows", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if given.part == "table":
        return table(given.rows)

    def say(method: str, size: str, **found: float | str) -> None:
        print(method, size, found, flush=True)
        with given.rows.open("a") as file:
            print(json.dumps({"method": method, "size": size} | found), file=file)

    PARTS[given.part](say, torch.device(given.device), given.quick)


def table(path: Path) -> None:
    """One row for each method and size, a peer's seconds in it."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for line in path.read_text().splitlines():
        found = json.loads(line)
        rows.setdefault((found["method"], found["size"]), {}).update(found)
    say_machine()
    if torch.cuda.is_available():
        print(f"device: {torch.cuda.get_device_name()}, torch {torch.__version__}")
    show("Milliseconds a step on the CPU and on the device", ("method", "size", "CPU", "device", "CPU / device",
         "difference", "peer there", "peer / device"),
         [(*key, *(row.get(name) for name in ("cpu", "there")), ratio(row, "cpu"), row.get("difference"),
           row.get("peer"), ratio(row, "peer")) for key, row in rows.items()])


def ratio(row: dict[str, Any], of: str) -> float | None:
    return row[of] / row["there"] if {of, "there"} <= row.keys() else None


def grid(say: Say, device: torch.device, quick: bool) -> None:
    for n, K in ((64, 2), (64, 8)) if quick else GRIDS:
        for name, options in FOLLOWED.items():
            say(name, size(n, K), **beside(name, noisy(n, n, K), device, options))


def size(n: int, K: int) -> str:
    return f"{n} x {n}, K={K}"


def beside(name: str, model: Any, device: torch.device, options: dict[str, Any]) -> dict[str, float]:
    """Of a method on a grid: milliseconds of a sweep here and there, and the largest difference of the marginals."""
    method, far = load.method("grid", name), model.to(device)
    here = method.init(generator(0, "bench"), model, None, **options)
    there = method.init(generator(0, "bench", device), far, None, **options, engine="torch")
    if name == "gibbs":  # from the same labels, and by the same key in every sweep
        there = replace(there, labels=here.labels.to(device))

    def sweeps(state: Any, model: Any) -> Any:
        rng = generator(0, "bench")
        for _ in range(SWEEPS):
            state, _ = method.step(rng, state, model, None)
        wait(device)
        return state

    found = [milliseconds(partial(sweeps, s, m)) / SWEEPS for s, m in ((here, model), (there, far))]
    ends = [marginals(method, sweeps(s, m), m).cpu() for s, m in ((here, model), (there, far))]
    return dict(zip(("cpu", "there"), found, strict=True)) | {"difference": largest(*ends)}


def ratings(say: Say, device: torch.device, quick: bool) -> None:
    """Gibbs with and without scores, coordinate ascent and the ladder; 12 times as many ratings by row Gibbs."""
    data = halves(load_ratings("jester-like"), 100 if quick else 1).train
    for K in (10, 32):
        model = sized_to(data, K)
        say("row_gibbs", told(data, K), **of_row_gibbs(model, data, device))
        say("row_gibbs and scores", told(data, K), **stepping("row_gibbs", model, data, device, scored=True))
        say("coordinate_ascent", told(data, K), **stepping("coordinate_ascent", model, data, device))
    ladder = Ladder(data.num_users, data.num_items, 10, noise=True, hierarchical=True, biases=True)
    say("ladder_gibbs", told(data, 10), **stepping("ladder_gibbs", ladder, data, device))
    many = made(200_000, 2000, 10 if quick else 100)
    say("row_gibbs", told(many, 10), **of_row_gibbs(sized_to(many, 10), many, device))


def made(users: int, items: int, each: int) -> Ratings:
    """Ratings of noise, `each` of every user: how long a sweep takes does not depend on what they are."""
    rng = generator(0, "bench")
    item = torch.randint(items // each, (users, each), generator=rng) + torch.arange(0, items, items // each)[:each]
    rating = torch.randn(users * each, generator=rng, dtype=torch.float64)
    return Ratings(torch.arange(users).repeat_interleave(each), item.flatten(), rating, users, items)


def sized_to(data: Ratings, K: int) -> Factorization:
    return Factorization(data.num_users, data.num_items, K)


def told(data: Ratings, K: int) -> str:
    return f"{len(data):,} ratings, K={K}"


def of_row_gibbs(model: Factorization, data: Ratings, device: torch.device) -> dict[str, float]:
    """Milliseconds of a sweep here and there, and the largest difference of U and V after one from the same noise."""
    found, far = stepping("row_gibbs", model, data, device), (model.to(device), data.to(device))
    rng = generator(0, "bench")
    state = row_gibbs.init(rng, model, data)
    z = [torch.randn(x.shape, generator=rng, dtype=torch.float64) for x in (state.U, state.V)]
    here = row_gibbs.sweep(state, model, data, *z)
    there = row_gibbs.sweep(moved(state, device), *far, *(x.to(device) for x in z))
    return found | {"difference": max(largest(getattr(here, x), getattr(there, x).cpu()) for x in "UV")}


def stepping(name: str, model: Factorization, data: Ratings, device: torch.device,
             scored: bool = False) -> dict[str, float]:
    """Milliseconds of a step here and there; for a variational method the largest difference of the moments."""
    method, far = load.method("factorization", name), model.to(device)
    here = method.init(generator(0, "bench"), model, data)
    works = [chain(method, model, data, here, device, scored),
             chain(method, far, data.to(device), moved(here, device), device, scored)]
    found = dict(zip(("cpu", "there"), (milliseconds(work, 5) for work in works), strict=True))
    if not method.expect:
        return found
    a, b = (method.expect(work(), m) or {} for work, m in zip(works, (model, far), strict=True))
    return found | {"difference": max(largest(x.cpu(), b[k].cpu()) for k, x in a.items())}


def chain(method: Method, model: Factorization, data: Ratings, state: Any, device: torch.device,
          scored: bool) -> Callable[[], Any]:
    """A callable that goes a step on, and scores all ratings where asked for, as a fit does."""
    rng = generator(0, "bench", model.device)
    scorer = Predictive(model, {"train": data}, Family.MCMC) if scored else None
    memory: Any = scorer.start() if scorer else None

    def work() -> Any:
        nonlocal state, memory
        state, _ = method.step(rng, state, model, data)
        if scorer:
            memory, _ = scorer.update(memory, lambda: method.draw(rng, state, model), True)
        wait(device)
        return state

    return work


def svi(say: Say, device: torch.device, quick: bool) -> None:
    """An epoch of each, and how far the ELBO is apart after as many epochs."""
    data = halves(load_ratings("jester-like"), 100 if quick else 1).train
    for name, options in (("guide_mean_field_pyro", {}), ("guide_mean_field_pyro", {"steps": "adam"}),
                          ("elbo_by_hand", {})):
        for K in (2, 10):
            epochs = [epoch(name, options, sized_to(data, K), data, at) for at in (torch.device("cpu"), device)]
            (cpu, here), (other, there) = epochs
            word = "".join(f":{k}={v}" for k, v in options.items())
            say(name + word, told(data, K), cpu=cpu, there=other, difference=abs(there / here - 1))


def epoch(name: str, options: dict[str, Any], model: Factorization, data: Ratings,
          device: torch.device) -> tuple[float, float]:
    """Milliseconds of an epoch, and the ELBO after four."""
    method, model, data = load.method("factorization", name), model.to(device), data.to(device)
    rng, elbo = generator(0, "bench", device), 0.0
    state = method.init(rng, model, data, **options)

    def work() -> None:
        nonlocal state, elbo
        state, info = method.step(rng, state, model, data)
        elbo = info.elbo or float("nan")
        wait(device)

    return milliseconds(work, 3), elbo


def numpyro(say: Say, device: torch.device, quick: bool) -> None:
    """NumPyro's SVI by the loop of `steps=adam`, wherever JAX computes: an epoch."""
    data = halves(load_ratings("jester-like"), 100 if quick else 1)
    for K in (2, 10):
        model, batch = sized(data, K), -(-len(data.train) // 32)
        start = {k: x.numpy() for k, x in init(generator(0, "bench"), model, data.train).params.items()}
        for double in (True, False):
            ran = numpyro_svi(data.train, data.test, model, start, 3, batch, LR, DECAY, double)
            if ran:
                say("guide_mean_field_pyro:steps=adam" if double else "the same in single precision",
                    told(data.train, K), peer=1e3 * ran.step)


def pgmax(say: Say, device: torch.device, quick: bool) -> None:
    """PGMax's belief propagation, in single precision, wherever JAX computes: a sweep."""
    for n, K in ((64, 2), (64, 8)) if quick else GRIDS[:2]:
        peer = pgmax_bp(noisy(n, n, K), SWEEPS)
        if peer:
            say("loopy_bp", size(n, K), peer=milliseconds(peer.run, 3) / SWEEPS)


def moved(state: Any, device: torch.device) -> Any:
    """The same on the device, whose engine is torch."""
    if isinstance(state, torch.Tensor):
        return state.to(device)
    if isinstance(state, dict):
        return {name: moved(x, device) for name, x in state.items()}
    if is_dataclass(state) and not isinstance(state, type):
        parts = {f.name: moved(getattr(state, f.name), device) for f in fields(state)}
        return replace(state, **parts | ({"engine": "torch"} if "engine" in parts else {}))
    return state


def milliseconds(work: Callable[[], object], repeats: int = 3) -> float:
    """As in a run: torch on one thread of the CPU, the kernels on all."""
    with torch_on_one_thread():
        return 1e3 * seconds(work, repeats)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def largest(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max())


PARTS: dict[str, Callable[[Say, torch.device, bool], None]] = {
    "grid": grid, "ratings": ratings, "svi": svi, "numpyro": numpyro, "pgmax": pgmax}

if __name__ == "__main__":
    main()
