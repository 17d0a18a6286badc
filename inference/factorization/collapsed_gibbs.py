"""Gibbs sampling of V with U integrated out, item by item by elliptical slices; then U | V exactly.

    p(V | r) ~ p(V) prod_i N(r_i; 0, prior_variance V_i V_i' + noise_variance I)        V_i: the items user i rated

As a function of v_j this is a product over its raters, each predicted from what else the user rated:

    p(v_j | V_-j, r) ~ N(v_j; 0, prior_variance I) prod_i N(r_ij; v_j . m_i, noise_variance + v_j' C_i v_j)

with u_i | V_-j, r_i,-j ~ N(m_i, C_i), taken from N(m_i, C_i) with all ratings by undoing one of them (rank one), and
brought back after v_j has moved. The slice (Murray, Adams and MacKay 2010): w ~ N(0, prior_variance I), and on the
ellipse v_j cos t + w sin t an angle t whose likelihood is above a uniform share of the present one, found by
shrinking a bracket towards t = 0. It needs no tuning and always moves. Along the ellipse a rater costs five numbers,

    v . m = m_v cos t + m_w sin t,    v' C v = a cos^2 t + 2 b cos t sin t + c sin^2 t.

Cost of a step: N K^2 + users K^3, and N for each of about ten angles. Draws of V do not wait for U, but each v_j waits
for the other items, which in `row_gibbs` it need not: on 15,000 ratings of 1,000 users and 40 items (K = 3) both had as
many effective draws a sweep, and a sweep here took a hundred times as long. Source: Liu, The collapsed Gibbs sampler
(1994).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float64
from torch import Tensor

from errors import InputError
from inference.engine import one_thread
from inference.factorization.parts.by_row import check_plain
from inference.footprint import latents, tensors
from inference.method import Family, Info, Latents
from models.factorization import Factorization
from models.ratings import Ratings

FAMILY = Family.MCMC
AT_WORK = 4  # times what latents and data take, in memory, beside the users' tables
LONGEST = 60.0  # seconds of a step; above, it is refused
AN_ITEM, A_RATING, A_PRODUCT = 1.5e-3, 2e-6, 4e-8  # seconds, measured: of an item, a rating, and each K^2 of a rating
BATCHED = True  # any number of replicates as leading axes of U, V and the ratings


@dataclass(frozen=True)
class State:
    """The chain's position: V, and a draw of U that the next step does not look at."""

    U: Float64[Tensor, "*chains users K"]
    V: Float64[Tensor, "*chains items K"]


def footprint(model: Factorization, data: Ratings, **_: object) -> int:
    """A chain at work, bytes: of every user a precision, its root and a covariance, and those of an item's raters."""
    return AT_WORK * (latents(model) + tensors(data)) + 4 * 8 * model.num_users * model.rank**2


def init(rng: torch.Generator, model: Factorization, data: Ratings) -> State:
    """A draw from the prior."""
    check_plain("collapsed_gibbs", model)
    model.check_data(data)
    _raters(data)
    return State(**model.prior(rng))


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    """Info.accept is the share of angles that were tried and taken."""
    users, order, counts = _raters(data)
    rating = data.rating[..., order].split(counts, -1)
    V, tried = state.V.clone(), 0.0
    with one_thread():
        m, C = conditional(V, users, rating, model)
        for j, (i, r) in enumerate(zip(users, rating, strict=True)):
            V[..., j, :], m_i, C_i, angles = move(rng, V[..., j, :], m.index_select(-2, i), C.index_select(-3, i),
                                                  r, model)
            m.index_copy_(-2, i, m_i)
            C.index_copy_(-3, i, C_i)
            tried += angles
        U = m + (torch.linalg.cholesky(C) @ _randn(rng, m)[..., None])[..., 0]
    return State(U, V), Info(accept=model.num_items / tried)


def preflight(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> None:
    """Errors: InputError where a step takes minutes, for items wait for one another."""
    took = seconds(model, data)
    if took > LONGEST:
        raise InputError(f"a step of collapsed_gibbs takes about {took:,.0f} s with {model.num_items:,} items "
                         f"and {len(data):,} ratings, for one item is drawn after the other: use row_gibbs, "
                         f"whose steps take a hundredth of that, or fewer items")


def seconds(model: Factorization, data: Ratings) -> float:
    """What a step takes, on one core, within a factor of two or three."""
    return model.num_items * AN_ITEM + len(data) * (A_RATING + A_PRODUCT * model.rank**2)


def draw(rng: torch.Generator, state: State, model: Factorization) -> Latents:
    return {"U": state.U, "V": state.V}


def conditional(
    V: Tensor, users: Sequence[Tensor], rating: Sequence[Tensor], model: Factorization,
) -> tuple[Float64[Tensor, "*chains users K"], Float64[Tensor, "*chains users K K"]]:
    """m_i and C_i of every user given all of V: u_i | V, r ~ N(m_i, C_i)."""
    K, chains = V.shape[-1], V.shape[:-2]
    eye = torch.eye(K, dtype=V.dtype, device=V.device) / model.prior_variance
    precision, shift = eye.expand(*chains, model.num_users, K, K).clone(), V.new_zeros(*chains, model.num_users, K)
    for i, r, v in zip(users, rating, V.unbind(-2), strict=True):
        outer = (v[..., :, None] * v[..., None, :])[..., None, :, :] / model.noise_variance
        precision.index_add_(-3, i, outer.expand(*chains, len(i), K, K).contiguous())
        shift.index_add_(-2, i, v[..., None, :] * r[..., None] / model.noise_variance)
    C = torch.cholesky_inverse(torch.linalg.cholesky(precision))
    return (C @ shift[..., None])[..., 0], C


def move(rng: torch.Generator, v: Tensor, m: Tensor, C: Tensor, r: Tensor,
         model: Factorization) -> tuple[Tensor, Tensor, Tensor, float]:
    """A new v_j, (K,), m, (n, K), and C, (n, K, K), of its n raters given it, and how many angles were tried.

    m and C come in given the old v_j. Before rating r_ij, by Sherman and Morrison with g = C v and d = noise - v' g,
    they were m - g (r - v . m) / d and C + g g' / d; after a new one h = C v, e = noise + v' h, and + h (r - v . m) / e
    and - h h' / e.
    """
    noise = model.noise_variance
    w = math.sqrt(model.prior_variance) * _randn(rng, v)
    plane = torch.stack([v, w], -1)
    both = (C.flatten(-3, -2) @ plane).unflatten(-2, C.shape[-3:-1])  # (n, K, 2): C v, C w
    products = both.mT.flatten(-3, -2) @ plane
    (a, b), (_, c) = (row.unbind(-1) for row in products.unflatten(-2, (-1, 2)).unbind(-2))  # v'Cv, v'Cw, w'Cw
    m_v, m_w = (m @ plane).unbind(-1)
    d = noise - a  # positive: noise^2 / (noise + v' C v before)
    surprise = (r - m_v) / d
    slice_ = Slice(m_v - a * surprise, m_w - b * surprise, a * noise / d, b * noise / d, c + b**2 / d, r, noise)
    cos, sin, tried = slice_.angle(rng)
    g, Cw = both.unbind(-1)
    h = cos[..., None] * (noise / d)[..., None] * g + sin[..., None] * (Cw + (b / d)[..., None] * g)
    error, e = slice_(cos, sin)
    C.addcmul_(g[..., :, None], (g / d[..., None])[..., None, :])
    C.addcmul_(h[..., :, None], (h / e[..., None])[..., None, :], value=-1)
    return cos * v + sin * w, m - g * surprise[..., None] + h * (error / e)[..., None], C, tried


@dataclass(frozen=True)
class Slice:
    """The likelihood of v_j on the ellipse v cos t + w sin t, with m_i and C_i before rating r_ij: numbers by rater."""

    m_v: Tensor  # v . m
    m_w: Tensor
    a: Tensor  # v' C v
    b: Tensor  # v' C w
    c: Tensor  # w' C w
    r: Tensor
    noise: float

    def __call__(self, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
        """r_ij minus its prediction, and the variance of that; cos and sin (*chains, 1)."""
        variance = self.noise + self.a * cos**2 + self.b * (2 * cos * sin) + self.c * sin**2
        return self.r - self.m_v * cos - self.m_w * sin, variance

    def log_likelihood(self, t: Tensor) -> Tensor:
        error, variance = self(t.cos(), t.sin())
        return -0.5 * (error**2 / variance + variance.log()).sum(-1, keepdim=True)

    def angle(self, rng: torch.Generator) -> tuple[Tensor, Tensor, float]:
        """cos t and sin t, (*chains, 1), and how many t were tried, on average over the chains."""
        level = self.log_likelihood(torch.zeros_like(self.r[..., :1].sum(-1, keepdim=True)))
        level = level + _rand(rng, level).log()
        t = 2 * math.pi * _rand(rng, level)
        low, high, tried = t - 2 * math.pi, t, 1.0
        while True:
            missed = self.log_likelihood(t) < level
            share = float(missed.double().mean())
            if not share:
                return t.cos(), t.sin(), tried
            tried += share
            low, high = torch.where(missed & (t < 0), t, low), torch.where(missed & (t >= 0), t, high)
            t = torch.where(missed, low + (high - low) * _rand(rng, level), t)


def _rand(rng: torch.Generator, like: Tensor) -> Tensor:
    return torch.rand(like.shape, generator=rng, dtype=like.dtype, device=like.device)


def _randn(rng: torch.Generator, like: Tensor) -> Tensor:
    return torch.randn(like.shape, generator=rng, dtype=like.dtype, device=like.device)


# Worked out once for each data set; no property of the ratings, which are not always allowed to be what it asks.
_known: WeakKeyDictionary[Ratings, tuple[tuple[Tensor, ...], Tensor, list[int]]] = WeakKeyDictionary()


def _raters(data: Ratings) -> tuple[tuple[Tensor, ...], Tensor, list[int]]:
    """The users who rated each item, the positions of their ratings one item after the other, and how many they are.

    Errors: InputError for a user who rated an item twice, which the product over raters does not allow.
    """
    if data not in _known:
        order = torch.argsort(data.item * data.num_users + data.user)
        user, item = data.user[order], data.item[order]
        twice = ((user[1:] == user[:-1]) & (item[1:] == item[:-1])).nonzero()
        if len(twice):
            n = int(twice[0])
            raise InputError(f"collapsed_gibbs needs every pair rated once, and user {int(user[n])} rated item "
                             f"{int(item[n])} more than once: put their mean in the place of the two")
        counts = torch.bincount(item, minlength=data.num_items).tolist()
        _known[data] = user.split(counts), order, counts
    return _known[data]
