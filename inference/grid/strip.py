"""Exact marginals, log Z, draws and the most probable labelling: sums out one site at a time.

It runs along the longer side. With W the shorter one, the frontier holds the newest label of every
column, K^W states. Site (i, j) puts its label k in place of the label l above it, beside its left neighbour p:

    T[p, l, k]  = unary[i, j, k] + right[i, j-1, p, k] + down[i-1, j, l, k]
    a'(.. k ..) = sum_l a(.. l ..) exp T[p, l, k]                  forward: all that lies behind
    b(.. l ..)  = sum_k exp T[p, l, k] b'(.. k ..)                 backward: all that lies ahead
    p(p, l, k)  = sum_rest a(.. l ..) exp T[p, l, k] b'(.. k ..) / Z,    Z = sum of a after the last site

p(p, l, k) holds the marginals of the site and of its pairs to the left and above. Every term is positive, so
nothing cancels: marginals, however small, are right to about 1e-13 relative. Forward vectors are kept after
each row and worked out again inside it. With max for sum the same recursion gives the most probable labelling.

Cost: 3 H W K^(W+1) multiply-adds and about 8 (H + 2 W + 12) K^W bytes (0.6 GB at 20 x 20, K = 2; 12 GB at
24 x 24); refused beyond `memory_gb`, by default half of the machine's memory.

Options:

    memory_gb   how much memory it may take, in GB; by default half of the machine's
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from inference.engine import Engine, choose
from inference.grid.parts.constraints import refuse_contradiction, softened
from inference.memory import refuse_beyond
from inference.method import Family, Info, Kind, Latents, Quantities
from models.grid import GridMRF

FAMILY = Family.EXACT
Tables = tuple[Tensor, Tensor, Tensor]  # of pixels, of pairs to the right, of pairs down


@dataclass(frozen=True)
class State:
    """Marginals, and what a draw needs: log a after each of the L lines along the longer side.

    The frontier state of a line y is the number sum_j y_j K^j.
    """

    labels: Float64[Tensor, "H W K"]
    right: Float64[Tensor, "H W-1 K K"]
    down: Float64[Tensor, "H-1 W K K"]
    log_forward: Float64[Tensor, "L states"]  # normalised, nats
    engine: str


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *,
         memory_gb: float | None = None, engine: Engine = "auto") -> State:
    """Uniform; `memory_gb` is how much memory it may take (None: half of what the machine has)."""
    chosen = _check(model, memory_gb, engine)
    H, W, K = model.shape
    none = model.unary.new_zeros(1, 1).expand(max(H, W), K ** min(H, W))
    return State(torch.full_like(model.unary, 1 / K), torch.full_like(model.right, 1 / K**2),
                 torch.full_like(model.down, 1 / K**2), none, chosen)


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    soft = softened(model)
    tables = _lengthwise(soft, soft.field(data), soft.right, soft.down)
    arithmetic = _sums(state.engine, *tables)
    log_forward, total = forward(arithmetic.forward, tables)
    refuse_contradiction(log_z(total, tables), model, data)
    labels, right, down = (t.contiguous() for t in _lengthwise(model, *marginals(arithmetic, tables, log_forward)))
    return (State(labels, right, down, log_forward, state.engine),
            Info(log_evidence=log_z(total, tables), kind=Kind.EXACT, converged=True))


def draw(rng: torch.Generator, state: State, model: GridMRF) -> Latents:
    """An exact, independent draw: the last line from a, then every line given the one after it.

        p(y_i | y_(i+1)) is proportional to a_i(y_i) exp(sum_j down[i, j, y_ij, y_(i+1)j])
    """
    def pick(log_weight: Tensor) -> Tensor:
        total = torch.exp(log_weight - log_weight.max()).cumsum(0)
        u = torch.rand(1, dtype=torch.float64, generator=rng, device=rng.device)
        return torch.searchsorted(total, u * total[-1], right=True).clamp(max=len(total) - 1)[0]

    return {"labels": trace_back(state.log_forward, softened(model), pick)}


def expect(state: State, model: GridMRF) -> Quantities:
    return {"labels": state.labels, "right": state.right, "down": state.down}


def map_estimate(model: GridMRF, data: Tensor | None = None, *,
                  memory_gb: float | None = None, engine: Engine = "auto") -> Int64[Tensor, "H W"]:
    """The labelling of highest log p~ (the MAP estimate), by max in place of sum; of several, one of them."""
    if _check(model, memory_gb, engine) == "compiled":
        from inference.grid.compiled.strip import maxima
    else:
        maxima = LogSpace(torch.amax).forward
    model = softened(model)
    log_forward, _ = forward(maxima, _lengthwise(model, model.field(data), model.right, model.down))
    return trace_back(log_forward, model, torch.argmax)


class Arithmetic(Protocol):
    """The recursion along one line, given the T of its sites (S, P, K, K); P is K, or 1 on a line of one site.

    Logs of a go in and come out. `forward` writes log a after the line to `out`, normalised, and returns
    what that took out; `backward` returns b before the line, as it wants it in the next call (None: beyond the last
    line), and p(p, l, k), each up to a factor.
    """

    def forward(self, log_a: Tensor, T: Tensor, out: Tensor) -> float: ...
    def backward(self, log_a: Tensor, b: Tensor | None, T: Tensor) -> tuple[Tensor, Tensor]: ...


class LogSpace:
    """The recursion in logs, to be read: any range, any device. The twin of `compiled.strip`.

    The newest label is the leading digit of the frontier's state, the oldest the last one, so that one
    site is the same operation everywhere: (p, rest, l) -> (k, p, rest).
    """

    def __init__(self, plus: Callable[[Tensor, int], Tensor] = torch.logsumexp) -> None:
        self.plus = plus

    def _site(self, log_a: Tensor, T: Tensor) -> Tensor:
        P, K, _ = T.shape
        return self.plus(log_a.reshape(P, -1, K, 1) + T[:, None], 2).permute(2, 0, 1).reshape(-1)

    def forward(self, log_a: Tensor, T: Tensor, out: Tensor) -> float:
        for t in T:
            log_a = self._site(log_a, t)
        total = self.plus(log_a, 0)
        torch.sub(log_a, total, out=out)
        return float(total)

    def backward(self, log_a: Tensor, log_b: Tensor | None, T: Tensor) -> tuple[Tensor, Tensor]:
        P, K, _ = T.shape[1:]
        log_b = log_a.new_zeros(len(log_a)) if log_b is None else log_b
        behind = [log_a]
        for t in T[:-1]:
            behind.append(self._site(behind[-1], t))
        joint = torch.empty_like(T)
        for j in reversed(range(len(T))):
            ahead = log_b.reshape(K, P, -1).permute(1, 2, 0)[:, :, None] + T[j, :, None]  # (p, rest, l, k)
            log_joint = self.plus(behind[j].reshape(P, -1, K, 1) + ahead, 1)
            joint[j] = torch.exp(log_joint - log_joint.max())
            log_b = self.plus(ahead, 3).reshape(-1)
        return log_b - log_b.max(), joint


def forward(along: Callable[[Tensor, Tensor, Tensor], float], tables: Tables) -> tuple[Tensor, float]:
    """log a after every line, normalised, and log of the sum of the last."""
    L, S, K = tables[0].shape
    log_forward, total = tables[0].new_empty(L, K**S), 0.0
    log_a = log_forward.new_zeros(1).expand(K**S)
    for i in range(L):
        total += along(log_a, transfer_tables(*tables, i), log_forward[i])
        log_a = log_forward[i]
    return log_forward, total


def log_z(total: float, tables: Tables) -> float:
    """log Z from what `forward` ends with: above the first line stands a free one, which multiplies the sum by K^S."""
    _, S, K = tables[0].shape
    return total - S * math.log(K)


def marginals(arithmetic: Arithmetic, tables: Tables, log_forward: Tensor) -> Tables:
    """Of pixels, pairs to the right and pairs down, line by line from the last: sums of p(p, l, k)."""
    L, S, K = tables[0].shape
    labels, right, down = (torch.empty(t.shape, dtype=t.dtype, device=t.device) for t in tables)
    free, b = log_forward.new_zeros(1).expand(K**S), None
    for i in reversed(range(L)):
        b, joint = arithmetic.backward(log_forward[i - 1] if i else free, b, transfer_tables(*tables, i))
        joint /= joint.sum((1, 2, 3), keepdim=True)
        labels[i], right[i] = joint.sum((1, 2)), joint.sum(2)[1:]
        if i:
            down[i - 1] = joint.sum(1)
    return labels, right, down


def trace_back(log_forward: Tensor, model: GridMRF, pick: Callable[[Tensor], Tensor]) -> Int64[Tensor, "H W"]:
    """A labelling, line by line from the last: `pick` chooses a state given log weights of all of them."""
    H, W, K = model.shape
    _, _, down = _lengthwise(model, model.unary, model.right, model.down)
    L, S = max(H, W), min(H, W)
    y = torch.empty(L, S, dtype=torch.int64, device=model.device)
    for i in reversed(range(L)):
        log_pair = down.new_zeros(1)
        for j in range(S if i + 1 < L else 0):
            log_pair = (down[i, j, :, y[i + 1, j], None] + log_pair).reshape(-1)
        y[i] = pick(log_forward[i] + log_pair) // K ** torch.arange(S, device=y.device) % K
    return y.T.contiguous() if W > H else y


def transfer_tables(field: Tensor, right: Tensor, down: Tensor, i: int) -> Float64[Tensor, "S P K K"]:
    """T of every site of line i."""
    _, S, K = field.shape
    T = field[i, :, None, None].repeat(1, K if S > 1 else 1, K, 1)
    if S > 1:
        T[1:] += right[i, :, :, None]
    if i:
        T += down[i - 1, :, None]
    return T


def _lengthwise(model: GridMRF, field: Tensor, right: Tensor, down: Tensor) -> Tables:
    """The tables turned so that the longer side comes first, or turned back."""
    if model.shape[0] >= model.shape[1]:
        return field, right, down
    return field.transpose(0, 1), down.transpose(0, 1), right.transpose(0, 1)


def _sums(engine: str, field: Tensor, right: Tensor, down: Tensor) -> Arithmetic:
    """The fastest arithmetic that is safe for these potentials."""
    if engine == "torch":
        return LogSpace()
    from inference.grid.compiled.strip import Linear, is_safe
    from inference.grid.compiled.strip_wide import Wide

    _, S, K = field.shape
    return (Linear if is_safe(field, right, down) else Wide)(S, K**S)


def _check(model: GridMRF, memory_gb: float | None, engine: str) -> str:
    """The engine to use, or a sentence if an option or the size of the grid forbids it."""
    engine = choose("strip", engine, model.device)
    H, W, K = model.shape
    width, length = sorted((H, W))
    vectors = length + 2 * width + 12 if engine == "compiled" else length + width + 4 * K**2
    refuse_beyond("strip", 8 * vectors * K**width, f"a {H} x {W} grid with {K} labels", memory_gb, model.device,
                  "loopy_bp, mean_field or gibbs")
    return engine
