"""Generalised belief propagation: beliefs of 2 x 2 plaquettes that agree where they overlap, with Kikuchi's log Z.

Regions are the plaquettes a (counting number 1), the edges between two plaquettes (-1) and the pixels inside the grid,
which four plaquettes and four such edges share (+1). With every potential given to one plaquette, psi_a,

    log Z ~ sum_a ( E_a[psi_a] + H(b_a) ) - sum over inner edges of H(b_e) + sum over inner pixels of H(b_s)      (nats)

(Kikuchi 1951; Yedidia, Freeman and Weiss 2005), stationary under b_a summing to b_e and b_s. Messages (the single loop
of Heskes, Albers and Kappen 2003), for an inner region r of n_r plaquettes and counting number c_r:

    log b_a      = psi_a + sum over its inner regions r of  mu_ra + const
    nu_ar        = log(sum of b_a over the pixels not in r) - mu_ra
    log b_r      = sum over its plaquettes a of  nu_ar / (n_r + c_r)
    mu_ra        = log b_r - nu_ar

A sweep updates the edges to the right, then those down, then the pixels, each damped in logs. It sees loops of four
pixels, which belief propagation counts as trees: usually its log Z is closer by orders of magnitude. It is no bound,
and not certain to settle; at strong coupling more damping helps.

Exact on grids of two rows or columns, whose plaquettes form a tree.

Cost of a sweep: 20 K^3 multiplications and 24 K^2 exponentials or logarithms a plaquette on a CPU, where a belief is
kept as a product of four edges' tables (`compiled.generalised_bp`). On a GPU, and where potentials are hundreds of nats
apart, 3 passes over H W tables of K^4 entries, with memory for about four such.

Options:

    damping     share of the old message in a new one's logarithm, from 0 to below 1
    memory_gb   how much memory it may take, in GB; by default half of the machine's
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from errors import InputError
from inference.footprint import latents, tensors
from inference.grid.compiled import generalised_bp as generalised_bp_numba
from inference.grid.parts import chains
from inference.grid.parts.constraints import softened
from inference.grid.parts.single_site import pick
from inference.memory import refuse_beyond
from inference.method import Family, Info, Kind, Latents, Quantities
from models.grid import GridMRF

FAMILY = Family.VARIATIONAL
CONVERGED = 1e-8  # nats
Log = Float64[Tensor, "h w K K K K"]  # of plaquettes: labels at the upper left and right, the lower left and right
# The axes that are summed over for an edge, and for a pixel, of a plaquette.
OTHERS = {"top": (4, 5), "bottom": (2, 3), "left": (3, 5), "right": (2, 4),
          "00": (3, 4, 5), "01": (2, 4, 5), "10": (2, 3, 5), "11": (2, 3, 4)}
CORNERS = ("00", "01", "10", "11")
INNER = slice(1, None), slice(None, -1)  # plaquettes that have another before, or after them


@dataclass(frozen=True)
class State:
    """mu: what plaquettes get from the edges and pixels within the grid that they hold, 0 from those at its border."""

    edges: Float64[Tensor, "4 h w K K"]  # top, bottom, left, right
    pixels: Float64[Tensor, "4 h w K"]  # upper left and right, lower left and right
    marginals: Float64[Tensor, "H W K"]
    damping: float


def footprint(model: GridMRF, data: Tensor | None, **_: object) -> int:
    """A chain at work, bytes: four tables of K^4 entries a plaquette, and the messages."""
    H, W, K = model.shape
    return 4 * 8 * H * W * K**4 + 8 * (latents(model) + tensors(model))


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *, damping: float = 0.3,
         memory_gb: float | None = None) -> State:
    """No messages yet: 0 nats."""
    H, W, K = model.shape
    if min(H, W) < 2:
        raise InputError(f"generalised_bp is about plaquettes of 2 x 2 pixels, and this grid is {H} x {W}: use the "
                         f"method 'loopy_bp', which is exact here")
    if not 0 <= damping < 1:
        raise InputError(f"damping of generalised_bp must be at least 0 and below 1, not {damping}")
    refuse_beyond("generalised_bp", 4 * 8 * H * W * K**4, f"a {H} x {W} grid with {K} labels", memory_gb, model.device,
                  "loopy_bp or tree_reweighted_bp")
    edges, pixels = (model.unary.new_zeros(4, *n * [K], H - 1, W - 1).movedim((-2, -1), (1, 2)) for n in (2, 1))
    return State(edges, pixels, torch.full_like(model.unary, 1 / K), float(damping))


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """One sweep; the residual is the largest undamped change of a message's log odds, in nats."""
    soft = softened(model)
    if chains.compiled(soft.unary) and (found := _compiled(state, soft, data)):
        return found
    psi = potentials(soft.field(data), soft.right, soft.down)
    edges, pixels, moved = state.edges.clone(), state.pixels.clone(), []
    for pair in (("bottom", "top"), ("right", "left")):
        moved.append(update_edges(unscaled(psi, edges, pixels), edges, pair, state.damping))
    moved.append(update_pixels(unscaled(psi, edges, pixels), pixels, state.damping))
    log_b = plaquettes(psi, edges, pixels)
    residual = max(moved)
    state = replace(state, edges=edges, pixels=pixels, marginals=pixel_marginals(log_b))
    return state, Info(float(kikuchi(psi, log_b)), Kind.KIKUCHI, residual=residual, converged=residual <= CONVERGED)


def _compiled(state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info] | None:
    """The same by numba, plane by plane, to rounding; None where potentials are so far apart that it would not be."""
    edges, pixels = (t.movedim((1, 2), (-2, -1)).contiguous().numpy() for t in (state.edges, state.pixels))
    base = by_edge(model) if data is None else by_edge.__wrapped__(model, data)
    found = generalised_bp_numba.sweep(base, edges, pixels, state.damping)
    if found is None:
        return None
    *tables, log_z, residual = found
    new, corners, marginals = (torch.from_numpy(t).movedim((-2, -1), (1, 2)) for t in tables)
    state = replace(state, edges=new, pixels=corners, marginals=mean_of_corners(marginals))
    return state, Info(log_z, Kind.KIKUCHI, residual=residual, converged=residual <= CONVERGED)


@lru_cache(maxsize=4)
def by_edge(model: GridMRF, data: Tensor | None = None) -> Float64[np.ndarray, "4 K K h w"]:
    """psi as a sum of four: of a plaquette's upper, lower, left and right edge."""
    field, (H, W, K) = model.field(data), model.shape
    top, bottom, left, right = base = field.new_zeros(4, K, K, H - 1, W - 1).movedim((-2, -1), (1, 2))
    top += field[:-1, :-1, :, None] + model.right[:-1]
    left += model.down[:, :-1]
    right[:, -1:] += model.down[:, -1:]
    top[:, -1:] += field[:-1, -1:, None]
    bottom[-1:] += field[-1:, :-1, :, None] + model.right[-1:]
    bottom[-1:, -1:] += field[-1:, -1:, None]
    return base.movedim((1, 2), (-2, -1)).contiguous().numpy()


def draw(rng: torch.Generator, state: State, model: GridMRF) -> Latents:
    """Every pixel from its own belief, independently."""
    uniform = torch.rand(model.shape[:2], dtype=torch.float64, device=model.device, generator=rng)
    return {"labels": pick(state.marginals, uniform)}


def expect(state: State, model: GridMRF) -> Quantities:
    return {"labels": state.marginals}


def potentials(field: Tensor, right: Tensor, down: Tensor) -> Log:
    """psi: every plaquette has its upper left pixel and the edges from there, those at the border the rest too."""
    (H, W, K) = field.shape
    psi = field.new_zeros(H - 1, W - 1, K, K, K, K)
    psi += spread(field[:-1, :-1], "00") + spread(right[:-1], "top") + spread(down[:, :-1], "left")
    psi[:, -1:] += spread(field[:-1, -1:], "01") + spread(down[:, -1:], "right")
    psi[-1:] += spread(field[-1:, :-1], "10") + spread(right[-1:], "bottom")
    psi[-1:, -1:] += spread(field[-1:, -1:], "11")
    return psi


def spread(table: Tensor, where: str) -> Tensor:
    """A table of an edge or pixel (h, w, K ..) with axes of length 1 for the other pixels of its plaquette."""
    for axis in OTHERS[where]:
        table = table.unsqueeze(axis)
    return table


def plaquettes(psi: Log, edges: Tensor, pixels: Tensor) -> Log:
    """log b_a, normalised."""
    log_b = unscaled(psi, edges, pixels)
    return log_b - torch.logsumexp(log_b.flatten(2), -1)[..., None, None, None, None]


def unscaled(psi: Log, edges: Tensor, pixels: Tensor) -> Log:
    """log b_a + const: a message of a pixel goes into one of an edge first, which is smaller than the plaquette."""
    top, bottom = edges[:2]
    top = top + pixels[0, ..., :, None] + pixels[1, ..., None, :]
    bottom = bottom + pixels[2, ..., :, None] + pixels[3, ..., None, :]
    log_b = psi + spread(top, "top")
    for where, message in (("bottom", bottom), ("left", edges[2]), ("right", edges[3])):
        log_b += spread(message, where)
    return log_b


def update_edges(log_b: Log, edges: Tensor, pair: tuple[str, str], damping: float) -> float:
    """The messages of all inner edges of one direction, each between the plaquette that ends in it and the one that
    begins with it; written into `edges`. n + c = 1."""
    names, nu = list(OTHERS), []
    across = pair[0] == "bottom"
    places = [(names.index(name), *((side, slice(None)) if across else (slice(None), side)))
              for name, side in zip(pair, INNER[::-1], strict=True)]
    for name, place in zip(pair, places, strict=True):
        nu.append(torch.logsumexp(log_b, OTHERS[name])[place[1:]] - edges[place])
    return max(write(edges, place, other, damping) for place, other in zip(places, nu[::-1], strict=True))


def update_pixels(log_b: Log, pixels: Tensor, damping: float) -> float:
    """The messages of all inner pixels to their four plaquettes, of which they are the lower right, lower left, upper
    right and upper left corner; written into `pixels`. n + c = 5."""
    after, before = INNER
    corners = (("11", before, before), ("10", before, after), ("01", after, before), ("00", after, after))
    places = [(list(OTHERS).index(name) - 4, i, j) for name, i, j in corners]
    edge = {"0": torch.logsumexp(log_b, OTHERS["top"]), "1": torch.logsumexp(log_b, OTHERS["bottom"])}
    nu = [torch.logsumexp(edge[name[0]], 3 - int(name[1]))[i, j] - pixels[place]
          for (name, i, j), place in zip(corners, places, strict=True)]
    log_r = sum(nu, torch.zeros_like(nu[0])) / 5
    return max(write(pixels, place, log_r - one, damping) for place, one in zip(places, nu, strict=True))


def write(messages: Tensor, place: tuple[int, slice, slice], new: Tensor, damping: float) -> float:
    """Scale, damp and keep messages; how far their log odds were from the old ones'."""
    if not new.numel():
        return 0.0
    new = new - (new[..., :1, :1] if new.ndim == 4 else new[..., :1])
    moved = (new - messages[place]).abs()
    messages[place] = (1 - damping) * new + damping * messages[place]
    return float(moved.max())


def kikuchi(psi: Log, log_b: Log) -> Tensor:
    """Kikuchi's log Z of the beliefs, nats; of edges and pixels as the plaquettes before and above them have them."""
    b = log_b.exp()
    edges = entropy(b[:-1], "bottom") + entropy(b[:, :-1], "right")
    return (b * (psi - log_b)).sum() - edges + entropy(b[:-1, :-1], "11")


def entropy(b: Tensor, where: str) -> Tensor:
    """Of an edge or pixel in all these plaquettes, added up."""
    return -torch.special.xlogy(p := b.sum(OTHERS[where]), p).sum()


def pixel_marginals(log_b: Log) -> Float64[Tensor, "H W K"]:
    """The mean of what the plaquettes say that hold a pixel."""
    b = log_b.exp()
    return mean_of_corners(torch.stack([b.sum(OTHERS[name]) for name in CORNERS]))


def mean_of_corners(p: Float64[Tensor, "4 h w K"]) -> Float64[Tensor, "H W K"]:
    _, h, w, K = p.shape
    total, count = p.new_zeros(h + 1, w + 1, K), p.new_zeros(h + 1, w + 1, 1)
    for one, name in zip(p, CORNERS, strict=True):
        place = slice(int(name[0]), h + int(name[0])), slice(int(name[1]), w + int(name[1]))
        total[place] += one
        count[place] += 1
    return total / count
