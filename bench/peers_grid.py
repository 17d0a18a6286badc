"""Other people's software on the same grids. Each function gives None where its library is not installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import torch

from models.grid import GridMRF

if TYPE_CHECKING:
    import jax

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Peer(Generic[Answer]):
    """`run` is what is timed; `marginals(run())` is (H, W, K)."""

    run: Callable[[], Answer]
    marginals: Callable[[Answer], np.ndarray]


def pgmax_bp(model: GridMRF, sweeps: int) -> Peer[jax.Array] | None:
    """Sum-product BP by PGMax (JAX, float32), flooding."""
    if not find_spec("pgmax"):
        return None
    import jax
    import jax.extend
    from pgmax import fgraph, fgroup, infer, vgroup

    if not hasattr(jax.lib, "xla_bridge"):  # PGMax 0.6.1 asks an older JAX for the name of its backend
        jax.lib.xla_bridge = jax.extend.backend

    H, W, K = model.shape
    pixels = vgroup.NDVarArray(num_states=K, shape=(H, W))
    graph = fgraph.FactorGraph(variable_groups=[pixels])
    sites = [(i, j) for i in range(H) for j in range(W)]
    edges = [[pixels[i, j], pixels[i, j + 1]] for i, j in sites if j + 1 < W]
    edges += [[pixels[i, j], pixels[i + 1, j]] for i, j in sites if i + 1 < H]
    tables = torch.cat([model.right.reshape(-1, K, K), model.down.reshape(-1, K, K)]).numpy()
    graph.add_factors(fgroup.PairwiseFactorGroup(variables_for_factors=edges, log_potential_matrix=tables))
    bp = infer.build_inferer(graph.bp_state, backend="bp")
    run = jax.jit(lambda arrays: bp.run(arrays, num_iters=sweeps, damping=0.0, temperature=1.0).ftov_msgs)
    start = bp.init(evidence_updates={pixels: model.unary.numpy()})

    def marginals(messages: jax.Array) -> np.ndarray:
        arrays = type(start)(log_potentials=start.log_potentials, ftov_msgs=messages, evidence=start.evidence)
        return np.asarray(infer.get_marginals(bp.get_beliefs(arrays))[pixels])

    return Peer(lambda: run(start).block_until_ready(), marginals)


def pyagrum_exact(model: GridMRF) -> Peer[np.ndarray] | None:
    """Exact marginals of all pixels by pyAgrum's Shafer-Shenoy on its own junction tree."""
    if not find_spec("pyagrum"):
        return None
    import pyagrum

    H, W, K = model.shape
    network = pyagrum.MarkovRandomField()
    node = {(i, j): network.add(pyagrum.LabelizedVariable(f"{i}_{j}", "", K)) for i in range(H) for j in range(W)}
    tables = [({n}, [n], model.unary[i, j]) for (i, j), n in node.items()]
    tables += [({node[i, j], node[i, j + 1]}, [node[i, j], node[i, j + 1]], model.right[i, j])
               for i in range(H) for j in range(W - 1)]
    tables += [({node[i, j], node[i + 1, j]}, [node[i, j], node[i + 1, j]], model.down[i, j])
               for i in range(H - 1) for j in range(W)]
    for nodes, order, table in tables:
        values = torch.exp(table - table.max()).numpy()
        factor = network.addFactor(nodes)
        names = [network.variable(n).name() for n in order]
        axes = [names.index(name) for name in reversed(factor.names)]  # its arrays have the last name first
        factor[:] = np.ascontiguousarray(values.transpose(axes))

    def work() -> np.ndarray:
        inference = pyagrum.ShaferShenoyMRFInference(network)
        inference.makeInference()
        return np.array([[inference.posterior(node[i, j]).toarray() for j in range(W)] for i in range(H)])

    return Peer(work, lambda answer: answer)


def numpy_gibbs(model: GridMRF, sweeps: int) -> Callable[[], np.ndarray]:
    """Checkerboard Gibbs as one would write it in numpy, for two labels or more."""
    H, W, K = model.shape
    pair = model.pair.numpy()  # type: ignore[union-attr]
    unary = model.unary.numpy()
    colour = np.add.outer(np.arange(H), np.arange(W)) % 2
    rng = np.random.default_rng(0)

    def work() -> np.ndarray:
        labels = rng.integers(K, size=(H, W))
        for _ in range(sweeps):
            for c in (0, 1):
                field = unary.copy()
                field[:, :-1] += pair[labels[:, 1:]]
                field[:, 1:] += pair[labels[:, :-1]]
                field[:-1] += pair[labels[1:]]
                field[1:] += pair[labels[:-1]]
                gumbel = field + rng.gumbel(size=field.shape)
                labels = np.where(colour == c, gumbel.argmax(-1), labels)
        return labels

    return work
