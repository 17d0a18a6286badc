"""Loopy belief propagation: messages between neighbours, exact on trees, with the Bethe log Z.

From pixel s to its neighbour t (Murphy, Machine Learning, 2012, algorithm 22.1), in logs:

    log h_st(k) = field_s(k) + sum over neighbours n of s but t of  lambda_ns(k)
    lambda_st(l) = log sum_k exp(log h_st(k) + pair_st(k, l))       rule `sum`; `max`: only the largest term
    belief_s(k) = softmax_k(field_s(k) + sum over all neighbours n of lambda_ns(k))

A message is kept as its log odds lambda(l) - lambda(0), l = 1..K-1: nothing else of it matters, their largest change
is the residual (nats), and damping d makes them (1 - d) new + d old. Under `sum` beliefs approximate the marginals,
under `max` the max-marginals, whose largest labels are the MAP on a tree.
Schedules of one sweep: `flooding` sends every message at once from the last sweep's; `sequential` goes right, left,
down and up through the image; `residual` sends, as often as there are messages, the one that would change most.
Engines: `torch` is the formulas above, for any device; `compiled` does the same in logs (`compiled.loopy_bp`). For
undamped flooding sum-product on a homogeneous grid it takes odds instead of log odds, tens of times faster, if the
potentials are so small that no product can leave double precision (`compiled.loopy_bp_odds.is_safe`).
Cost of a sweep: 4 H W K^2, and about half as much for the Bethe log Z (none with `track` off). A step holds the old
and the new messages, 4 (K-1) H W numbers each, and now and then those of two sweeps ago.

Options:

    schedule   which messages a sweep sends, and when, see above
    damping    share of the old message in a new one's log odds, from 0 to below 1
    rule       sum: marginals; max: max-marginals, for the most probable labelling
    track      whether the Bethe log Z is computed after every sweep
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from errors import InputError, unknown
from inference.engine import Engine, at_once, choose
from inference.footprint import latents, tensors
from inference.grid.compiled import loopy_bp as logs
from inference.grid.compiled import loopy_bp_odds as odds
from inference.grid.parts.constraints import softened
from inference.method import Family, Info, Kind, Latents, Quantities
from models.grid import GridMRF

At = tuple[slice | Tensor, ...]  # an index of some pixels
FAMILY = Family.VARIATIONAL
WORDS = dict(schedule=("flooding", "sequential", "residual"), rule=("sum", "max"))
CONVERGED = 1e-8  # nats
WATCH = 10  # sweeps between two looks at whether the messages go round in circles
BAND = 2**18  # pixels that the torch engine works on at a time, so that it needs little memory besides messages


@dataclass(frozen=True)
class State:
    """The messages that a pixel gets from its left, right, upper and lower neighbour (0 nats where there is none)."""

    messages: Float64[Tensor, "4 M H W"]  # M = K - 1; log odds against label 0, or odds
    earlier: Float64[Tensor, "kept 4 M H W"]  # those before, kept for a sweep while a circle is looked for
    local: Float64[Tensor, "M H W"]  # field(k) - field(0), as log odds or odds
    base: float  # sum of field(0), nats
    form: str  # log | odds
    has_image: bool  # whether `local` holds an image given as data
    engine: str  # compiled | torch
    schedule: str
    rule: str
    damping: float
    track: bool
    sweeps: int
    residual: float
    oscillating: bool


def footprint(model: GridMRF, data: Tensor | None, *, schedule: str = "flooding",
              engine: Engine = "auto", **_: object) -> int:
    """A chain at work, bytes: the messages in four directions, those before them, and in order or in torch more
    copies."""
    return (8 if schedule == "flooding" and engine != "torch" else 15) * (latents(model) + tensors(model))


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *,
         schedule: Literal["flooding", "sequential", "residual"] = "flooding", damping: float = 0.0,
         rule: Literal["sum", "max"] = "sum", track: bool = True, engine: Engine = "auto") -> State:
    """Uniform messages. With `track` off no Bethe log Z is computed, for speed."""
    for what, given in (("schedule", schedule), ("rule", rule)):
        if given not in WORDS[what]:
            raise unknown(f"{what} of loopy_bp", given, WORDS[what])
    if not 0 <= damping < 1:
        raise InputError(f"damping of loopy_bp must be at least 0 and below 1, not {damping}")
    chosen = choose("loopy_bp", engine, model.device)
    if schedule == "residual" and chosen == "torch":
        raise InputError("loopy_bp's residual schedule needs the compiled engine, on the CPU: use 'sequential' here")
    messages = model.unary.new_zeros(4, model.shape[2] - 1, *model.shape[:2])
    state = State(messages, messages.new_empty(0, *messages.shape), messages[0], 0.0, "log", False, chosen, schedule,
                  rule, float(damping), bool(track) and rule == "sum", 0, float("inf"), False)
    return _see(state, model, data)


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """One sweep: as many updates as there are messages.

    The residual is the largest change by an undamped update in the sweep, or still to come after it (`residual`).
    Oscillating: messages change in each sweep but are back after two; damping or another schedule may help.
    """
    model = softened(model)
    if data is not None or state.has_image:
        state = _see(state, model, data)
    if state.form == "odds":
        messages, residual = odds.flood(state.messages, state.local, model)
    else:
        run = logs.sweep if state.engine == "compiled" else sweep
        messages, residual = run(state.messages, state.local, model, state.schedule, state.damping, state.rule)
    stuck = residual > max(0.9 * state.residual, CONVERGED)
    sweeps, oscillating = state.sweeps + 1, state.oscillating and stuck
    if sweeps % WATCH == 0:
        apart = [float((a - b if state.form == "log" else (a / b).log()).abs().max())
                 for before in state.earlier if stuck for a, b in zip(before, messages, strict=True)]
        oscillating = len(apart) > 0 and max(apart) < 0.1 * (1 - state.damping) * residual
    earlier = state.messages[None] if stuck and sweeps % WATCH == WATCH - 1 else messages.new_empty(0, *messages.shape)
    log_z = odds.log_bethe if state.form == "odds" else bethe
    log_evidence = state.base + float(log_z(messages, state.local, model)) if state.track else None
    state = replace(state, messages=messages, earlier=earlier, sweeps=sweeps, residual=residual,
                    oscillating=oscillating)
    return state, Info(log_evidence, Kind.BETHE if state.track else None, residual=residual,
                       converged=residual <= CONVERGED, oscillating=oscillating)


def draw(rng: torch.Generator, state: State, model: GridMRF) -> Latents:
    """Under `sum`, every pixel from its own belief, independently; under `max`, the labels of largest belief."""
    beliefs = expect(state, model)["labels"]
    if state.rule == "max":
        return {"labels": beliefs.argmax(-1)}
    return {"labels": torch.multinomial(beliefs.flatten(0, 1), 1, generator=rng).reshape(beliefs.shape[:2])}


def expect(state: State, model: GridMRF) -> Quantities:
    """The beliefs: approximate marginals under `sum`, max-marginals scaled to sum to 1 under `max`."""
    return {"labels": beliefs(state)}


def beliefs(state: State) -> Tensor:
    """softmax_k(field(k) + sum over the neighbours of log m(k)) of every pixel, (H, W, K)."""
    return torch.softmax(cavity(*_in_logs(state)), 0).permute(1, 2, 0).contiguous()


def incoming(state: State) -> Float64[Tensor, "4 K H W"]:
    """The messages into every pixel from its left, right, upper and lower neighbour, each summing to 1 over labels;
    from outside the image all labels alike."""
    messages = _in_logs(state)[0]
    return torch.softmax(torch.cat((torch.zeros_like(messages[:, :1]), messages), 1), 1)


def pair_beliefs(state: State, model: GridMRF) -> dict[str, Tensor]:
    """softmax_kl(log h_st(k) + pair_st(k, l) + log h_ts(l)) of the edges "right" (H, W-1, K, K), "down" (H-1, W, K, K).

    At a fixed point they sum to the beliefs of their pixels.
    """
    model = softened(model)
    found = {n: torch.empty_like(getattr(model, n), memory_format=torch.contiguous_format) for n in ("right", "down")}
    for name, near, _, log_h, log_g in _edges(*_in_logs(state)):
        joint = log_h.permute(1, 2, 0)[..., :, None] + getattr(model, name)[near] + log_g.permute(1, 2, 0)[..., None, :]
        found[name][near] = torch.softmax(joint.flatten(2), -1).reshape(joint.shape)
    return found


def sweep(messages: Tensor, local: Tensor, model: GridMRF, schedule: str, damping: float, rule: str
          ) -> tuple[Tensor, float]:
    """The torch engine: the new log odds (4, K-1, H, W) of all messages, and the residual."""
    new, residual = messages.clone(), messages.new_zeros(())
    for side, table in enumerate((model.right, model.right.mT, model.down, model.down.mT)):
        for sender, target, edge in _batches(schedule, side, local):
            now = messages if schedule == "flooding" else new
            sent = bp_message(cavity(now, local, sender, side ^ 1), table[edge], rule)
            update, old = sent[1:] - sent[0], now[side][:, *target]
            residual = torch.maximum(residual, (update - old).abs().max())
            new[side][:, *target] = (1 - damping) * update + damping * old
    return new, float(residual)


def bethe(messages: Tensor, local: Tensor, model: GridMRF) -> Tensor:
    """The Bethe log Z of `sum` messages in nats, but for the field of label 0:

        sum_i log Z_i + sum over edges (s, t) of log(Z_st / (Z_s Z_t))
        Z_i = sum_k exp(field_i(k) + all lambda(k)),    Z_st = sum_kl h_st(k) exp(pair_st(k, l)) h_ts(l)

    Its derivatives by the messages vanish at a fixed point of sum-product, and on a tree it is log Z there.
    """
    bands = torch.arange(local.shape[1], device=local.device).split(-(-at_once(BAND, local.device) // local.shape[2]))
    log_z = torch.cat([torch.logsumexp(cavity(messages, local, (rows,)), 0) for rows in bands])
    total = log_z.sum()
    for name, near, far, log_h, log_g in _edges(messages, local):
        log_pair = torch.logsumexp(bp_message(log_h, getattr(model, name)[near], "sum") + log_g, 0)
        total = total + (log_pair - log_z[near] - log_z[far]).sum()
    return total


def bp_message(log_h: Float64[Tensor, "K h w"], table: Tensor, rule: str) -> Float64[Tensor, "K h w"]:
    """lambda(l) = log sum_k exp(log h(k) + table(k, l)), or max_k, label by label to save memory.

    >>> bp_message(torch.tensor([0.0, 1.0])[:, None, None], 2.0 * torch.eye(2)[None, None], "max").flatten()
    tensor([2., 3.])
    """
    reduce = torch.logsumexp if rule == "sum" else torch.amax
    return torch.stack([reduce(log_h + table[..., l].movedim(-1, 0), 0) for l in range(len(log_h))])


def cavity(messages: Tensor, local: Tensor, at: At = (), but: int | None = None) -> Float64[Tensor, "K h w"]:
    """log h(k) relative to label 0 of some pixels: the evidence and all messages, save that from one side."""
    total = sum((messages[side][:, *at] for side in range(4) if side != but), local[:, *at])
    return torch.cat((torch.zeros_like(total[:1]), total))


def _batches(schedule: str, side: int, local: Tensor) -> Iterator[tuple[At, At, At]]:
    """Pixels that send at once to the neighbour whose `side` they are on, those neighbours, and their edges."""
    H, W = local.shape[1:]
    across, last = (H, W - 1) if side < 2 else (W, H - 1)
    step = 1 if schedule == "sequential" else -(-at_once(BAND, local.device) // across)
    spans = [slice(n, min(n + step, last)) for n in range(0, last, step)]
    for low in spans[::-1] if side & 1 else spans:
        ends = low, slice(low.start + 1, low.stop + 1)
        a, b = ((slice(None), end) if side < 2 else (end, slice(None)) for end in ends)
        yield (b, a, a) if side & 1 else (a, b, a)


def _edges(messages: Tensor, local: Tensor) -> Iterator[tuple[str, At, At, Tensor, Tensor]]:
    """Of the edges to the right, then of those down: name, the pixels at either end, and the log h of these."""
    for name, side in (("right", 0), ("down", 2)):
        for near, far, _ in _batches("flooding", side, local):
            yield name, near, far, cavity(messages, local, near, side ^ 1), cavity(messages, local, far, side)


def _see(state: State, model: GridMRF, data: Tensor | None) -> State:
    """The state with the evidence of the model and an image, in the fastest form that is safe for both."""
    model = softened(model)
    field, (messages, _) = model.field(data), _in_logs(state)
    local = (field[..., 1:] - field[..., :1]).permute(2, 0, 1).contiguous()
    fast = (state.engine, state.schedule, state.rule, state.damping) == ("compiled", "flooding", "sum", 0.0)
    form = "odds" if fast and odds.is_safe(local, model) else "log"
    if form == "odds":
        messages, local = messages.exp(), local.exp()
    return replace(state, messages=messages, local=local, base=float(field[..., 0].sum()), form=form,
                   has_image=data is not None)


def _in_logs(state: State) -> tuple[Tensor, Tensor]:
    return (state.messages.log(), state.local.log()) if state.form == "odds" else (state.messages, state.local)
