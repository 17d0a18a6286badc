"""What is measured on a factorization: data-dependent functions, and whitened residuals of the exact conditionals.

    w_i = L_i'(u_i - mean_i) ~ N(0, I),    L_i L_i' = precision_i        (given V and the ratings)

Its part along L_i'mean_i, which is N(0, 1) too, tells a mean that is too long or too short.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor
from torch.special import gammainc, ndtri

from checks.problems.factorization.replicates import Replicates
from checks.problems.problem import Features
from checks.right.factorization.pieces import Side, add, conditional, items, users
from inference.method import Latents
from models.factorization import Factorization

POSITIVE = ("sigma2", "precision_U", "precision_V", "ridge_U", "ridge_V", "precision_user", "precision_day",
            "precision_period")  # a matrix of them is symmetric


def free(model: Factorization, latents: Latents, data: Replicates) -> Features:
    """Data-dependent functions, (n,) each, of U (n, users, K), V (n, items, K) and n sets of ratings."""
    return {**whole(model, latents, data), **by_row(model, latents, data)}


def normal(model: Factorization, latents: Latents, data: Replicates) -> Features:
    """The residuals, (n,) each."""
    return {**residuals(model, users(data), latents, data), **residuals(model, items(data), latents, data)}


def whole(model: Factorization, latents: Latents, data: Replicates) -> Features:
    """Functions of everything."""
    U, V = latents["U"], latents["V"]
    guess = model.quantities(latents, data.pairs)["prediction"]
    gram_U, gram_V = U.mT @ U, V.mT @ V
    found: Features = {
        ("log joint", "everything"): model.log_joint(latents, data),  # type: ignore[arg-type]  # as Ratings, with replicates
        ("squared error", "all ratings"): ((data.rating - guess) ** 2).sum(-1),
        ("ratings times predictions", "all ratings"): (data.rating * guess).sum(-1),
        ("squared predictions", "all ratings"): (guess**2).sum(-1),
        ("sum of the errors", "all ratings"): (data.rating - guess).sum(-1),
        ("squared predictions", "all pairs"): (gram_U * gram_V).sum((-2, -1)),
    }
    for site, x, gram in (("U", U, gram_U), ("V", V, gram_V)):
        size = gram.diagonal(dim1=-2, dim2=-1).sum(-1)
        found["squared norm", site] = size
        found["products across rows", site] = (x.sum(-2) ** 2).sum(-1) - size
        found["products across columns", site] = (x.sum(-1) ** 2).sum(-1) - size
        found["sum of entries", site] = x.sum((-2, -1))
        found["products of neighbouring rows", site] = (x[:, 1:] * x[:, :-1]).sum((-2, -1))
    found["difference of the squared norms", "U and V"] = found["squared norm", "U"] - found["squared norm", "V"]
    return found


def by_row(model: Factorization, latents: Latents, data: Replicates) -> Features:
    """Functions of one row."""
    guess = model.quantities(latents, data.pairs)["prediction"]
    found: Features = {}
    for side in (users(data), items(data)):
        error, product = add(side, (data.rating - guess) ** 2, 0), add(side, data.rating * guess, 0)
        size = (latents[side.site] ** 2).sum(-1)
        counts = torch.bincount(side.row, minlength=side.rows).tolist()
        for i, count in enumerate(counts):
            found["squared norm", place(side, i)] = size[:, i]
            if count:
                found["squared error", place(side, i)] = error[:, i]
                found["ratings times predictions", place(side, i)] = product[:, i]
    return found


def residuals(model: Factorization, side: Side, latents: Latents, data: Replicates) -> Features:
    """Whitened residuals of a side's rows, each quantity N(0, 1) if the kernel is right."""
    natural = conditional(side, latents[side.other], data.rating, model.prior_variance, model.noise_variance)
    return whitened(side, *natural, latents[side.site], torch.bincount(side.row, minlength=side.rows) > 0)


def whitened(side: Side, precision: Tensor, shift: Tensor, own: Tensor, rated: Tensor) -> Features:
    """The residuals of rows `own` under N(precision^-1 shift, precision^-1); `rated`: whose mean is not zero."""
    L = torch.linalg.cholesky(precision)
    along = torch.linalg.solve_triangular(L, shift[..., None], upper=False)[..., 0]  # L'mean
    w = (L.mT @ own[..., None])[..., 0] - along
    rows, K = w.shape[-2:]
    length = along.norm(dim=-1)
    part = (w * along).sum(-1) / length.where(rated, torch.ones(()))
    site = side.site
    found: Features = {
        ("residual along the conditional mean", site): part[:, rated].sum(-1) / rated.sum().sqrt(),
        ("squared residual", site): chi_square(w.flatten(1)),
        ("residual", site): w.sum((-2, -1)) / (rows * K) ** 0.5,
    }
    for i in range(rows):
        found["squared residual", place(side, i)] = chi_square(w[:, i])
        if rated[i]:
            found["residual along the conditional mean", place(side, i)] = part[:, i]
        for k in range(K):
            found["residual", f"{place(side, i)}, entry {k}"] = w[:, i, k]
    size = w.norm(dim=-1)
    for i in range(rows - 1):  # w_i . w_(i+1) / |w_i| is N(0, 1) given w_i
        found["product with the next row's residual", place(side, i)] = (w[:, i] * w[:, i + 1]).sum(-1) / size[:, i]
    return found


def chi_square(w: Tensor) -> Tensor:
    """The normal score of sum w^2 over the last axis, (n, m) -> (n,)."""
    half = torch.tensor(w.shape[-1] / 2, dtype=w.dtype)
    p = gammainc(half, (w**2).sum(-1) / 2)
    return ndtri(p.clamp(1e-12, 1 - 1e-12))


def place(side: Side, i: int) -> str:
    return f"{'user' if side.site == 'U' else 'item'} {i}"


def sorts(model: Factorization, data: Replicates) -> dict[str, tuple[str, str]]:
    """Every row by its side and the number of its ratings."""
    return {place(side, i): ("users" if side.site == "U" else "items", f"with {count} rating{'s' * (count != 1)}")
            for side in (users(data), items(data))
            for i, count in enumerate(torch.bincount(side.row, minlength=side.rows).tolist())}


def coordinates(model: Factorization, latents: Latents) -> Features:
    """What must move: every entry of U and V, and of whatever else there is."""
    found: Features = {}
    for site in sorted(latents):
        x = latents[site]
        columns = x.reshape(len(x), -1).unbind(1)
        for at, column in zip(itertools.product(*map(range, x.shape[1:])), columns, strict=True):
            if site not in POSITIVE:
                found["entry", f"{site}{list(at)}"] = column
            elif at == tuple(sorted(at)):  # positive, and symmetric
                found["value", f"{site}{list(at) if at else ''}"] = column
    return found
