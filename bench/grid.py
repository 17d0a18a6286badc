"""Speed on grids, ours and other people's side by side in one run: `python bench/grid.py [--quick | --sweeps]`.

Installs nothing; a peer that is not installed is reported as absent (`pip install -r bench/requirements.txt`).
Medians of five runs (peers that take longer than ten seconds: one). Ours is timed through the method's public
`step`, in double precision, with the residual and, where the column says so, the log Z of every sweep.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from measure import bandwidth, say_machine, seconds, show
from peers_grid import Peer, numpy_gibbs, pgmax_bp, pyagrum_exact

from inference import load
from inference.job import generator
from inference.method import Method
from models.grid import GridMRF

SWEEPS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="leave out the peers that take a minute")
    parser.add_argument("--sweeps", action="store_true", help="only the message-passing methods, beside sum-product")
    given = parser.parse_args()
    quick = given.quick
    say_machine()
    if given.sweeps:
        sweeps()
        return
    belief_propagation()
    sweeps()
    mean_field()
    exact(quick)
    gibbs()


def noisy(H: int, W: int, K: int, evidence: float = 1.0, coupling: tuple[float, ...] = (0.5, 0.1)) -> GridMRF:
    """Random labels, weights low enough for the answers to be interesting."""
    labels = torch.randint(K, (H, W), generator=generator(0, f"bench {H} {W} {K}"))
    return GridMRF.potts(torch.nn.functional.one_hot(labels, K), evidence, coupling)


def steps(name: str, model: GridMRF, count: int, **options: object
          ) -> tuple[Method, Callable[[], object]]:
    """A callable that runs `count` steps of our method from its start and returns the last state."""
    method = load.method("grid", name)
    start = method.init(generator(0, "bench"), model, None, **options)

    def work() -> object:
        state, rng = start, generator(0, "bench")
        for _ in range(count):
            state, _ = method.step(rng, state, model, None)
        return state

    return method, work


def marginals(method: Method, state: object, model: GridMRF) -> torch.Tensor:
    assert method.expect
    found = method.expect(state, model)
    assert found
    return found["labels"]


def belief_propagation() -> None:
    rows = []
    speed = bandwidth()
    for H, W, K in ((640, 640, 2), (100, 100, 3), (640, 640, 4), (100, 100, 8)):
        model = noisy(H, W, K)
        method, work = steps("loopy_bp", model, SWEEPS, track=False)
        ours, tracked = seconds(work), seconds(steps("loopy_bp", model, SWEEPS)[1])
        messages = 4 * H * W * (1 if K == 2 else K) * 8
        share = SWEEPS * 2 * messages / ours / speed
        peer = pgmax_bp(model, SWEEPS)
        rows.append((f"{H} x {W}, K={K}", ours, tracked,
                     *compare(peer, ours, marginals(method, work(), model)), f"{100 * share:.0f}%"))
    show(f"Loopy BP, {SWEEPS} flooding sweeps (s); peer: PGMax (JAX, float32), which computes no log Z",
         ("grid", "ours", "with log Z", "PGMax", "ratio", "largest difference", "share of copy bandwidth"), rows)


Kind = tuple[str, str, dict[str, object]]  # what the column says, the method, its options
FLOODING: tuple[Kind, ...] = (
    ("with log Z", "loopy_bp", {}), ("max", "loopy_bp", {"rule": "max"}),
    ("in logs", "loopy_bp", {"damping": 1e-9, "track": False}), ("GBP", "generalised_bp", {}))
SCANS: tuple[Kind, ...] = (
    ("max", "loopy_bp", {"schedule": "sequential", "rule": "max"}), ("max_product", "max_product", {}),
    ("TRW", "tree_reweighted_bp", {"trees": 0}), ("TRW, 4 trees", "tree_reweighted_bp", {"trees": 4}))


def sweeps() -> None:
    """A step of each message-passing method, bound or labelling included, beside sum-product of the same schedule.

    Processor time, since others may be at work; the methods take turns; the least of five. Twelve steps, of which
    tree-reweighted BP works its bound out in three.
    """
    for schedule, kinds in (("flooding", FLOODING), ("sequential", SCANS)):
        rows = []
        for n, K in ((100, 2), (100, 3), (100, 8), (640, 2)):
            plain: Kind = ("sum", "loopy_bp", {"schedule": schedule, "track": False})
            least = taking_turns(noisy(n, n, K), (plain, *kinds))
            rows.append((f"{n} x {n}, K={K}", 1e3 * least[0], *(one / least[0] for one in least[1:])))
        show(f"A step beside undamped sum-product without log Z, {schedule} (processor ms; others: multiples)",
             ("grid", "sum", *(what for what, _, _ in kinds)), rows)


def taking_turns(model: GridMRF, kinds: tuple[Kind, ...], count: int = 12) -> list[float]:
    works = [steps(name, model, count, **options)[1] for _, name, options in kinds]
    times = [[processor(work) / count for work in works] for _ in range(6)][1:]  # the first compiles
    return [min(column) for column in zip(*times, strict=True)]


def processor(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def mean_field() -> None:
    rows = []
    for schedule in ("synchronous", "checkerboard", "sequential"):
        _, work = steps("mean_field", noisy(640, 640, 2), SWEEPS, schedule=schedule)
        rows.append((schedule, seconds(work, 3)))
    show(f"Mean field, 640 x 640, K=2, {SWEEPS} sweeps with ELBO (s)", ("schedule", "ours"), rows)


def exact(quick: bool) -> None:
    rows = []
    for n in (16, 18, 20):
        model = noisy(n, n, 2)
        method, work = steps("strip", model, 1)
        ours = seconds(work, 3)
        peer = pyagrum_exact(model) if n == 16 or (n == 18 and not quick) else None
        columns = compare(peer, ours, marginals(method, work(), model), once=n > 16)
        rows.append((f"{n} x {n}, K=2", ours, *(columns if n < 20 else ("out of memory", None, None))))
    show("Exact marginals of all pixels and log Z (s); peer: pyAgrum", ("grid", "ours", "pyAgrum", "ratio",
         "largest difference"), rows)


def gibbs() -> None:
    rows = []
    for H, W, K in ((640, 640, 2), (640, 640, 3), (640, 640, 5)):
        model = noisy(H, W, K)
        _, work = steps("gibbs", model, SWEEPS)
        rate = SWEEPS * H * W / seconds(work) / 1e6
        peer = 3 * H * W / seconds(numpy_gibbs(model, 3), 3) / 1e6
        rows.append((f"{H} x {W}, K={K}", rate, peer, rate / peer))
    show("Checkerboard Gibbs with averaged marginals (million pixel updates a second); peer: the same in numpy",
         ("grid", "ours", "numpy", "ratio"), rows)


def compare(peer: Peer | None, ours: float, marginals: torch.Tensor, once: bool = False) -> tuple:
    """(peer's seconds, their ratio to ours, largest difference of marginals); absent where not installed."""
    if peer is None:
        return "absent", None, None
    if once:
        started = time.perf_counter()
        answer = peer.run()
        theirs = time.perf_counter() - started
    else:
        theirs, answer = seconds(peer.run), peer.run()
    return theirs, theirs / ours, float(np.abs(peer.marginals(answer) - marginals.numpy()).max())


if __name__ == "__main__":
    main()
