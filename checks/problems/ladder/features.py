"""What is measured where the noise, the priors of the rows or biases are learned too (models/ladder.py).

    Phi^-1(P(sigma^2 <= its value | rest)) ~ N(0, 1),    sigma^2 | rest ~ InverseGamma(3 + N/2, 2 + squared errors / 2)
                                             and alike for the Gammas of a noise for every user
    sqrt(2 + n) L'(mean - m) ~ N(0, I),                  L L' = precision, m = sum of the rows / (2 + n)

and the whitened residuals of the rows, with their biases, as in `checks/problems/factorization/features.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.special import gammainc, gammaincc, ndtri

from checks.problems.factorization import features as plain
from checks.problems.factorization.features import chi_square, whitened
from checks.problems.factorization.replicates import Replicates
from checks.problems.problem import Features
from checks.right.factorization.pieces import Side, add, items, users
from inference.method import Latents
from models.factorization import gather
from models.features import RIDGE_RATE, RIDGE_SHAPE, Featured
from models.ladder import SIDES, STRENGTH, Ladder
from models.rungs import noise_per_user as per_user
from models.rungs.noise import SCALE, SHAPE
from models.rungs.noise_per_user import ALIKE


def free(model: Ladder, latents: Latents, data: Replicates) -> Features:
    """Data-dependent functions: those of the plain model, and of what is learned besides."""
    found = plain.free(model, latents, data)
    error = errors(model, latents, data)
    if model.noise_per_user:
        w = latents["precision_user"]
        found["sum of precisions", "precision_user"] = w.sum(-1)
        found["sum of their logarithms", "precision_user"] = w.log().sum(-1)
        found["precisions times the typical variance", "precision_user"] = (w * latents["sigma2"][:, None]).sum(-1)
        found["squared error times the precisions", "all ratings"] = (w[:, data.user] * error.square()).sum(-1)
    if model.noise:
        found["noise variance", "sigma2"] = latents["sigma2"]
        found["squared error over the noise variance", "all ratings"] = error.square().sum(-1) / latents["sigma2"]
    for side, bias in SIDES:
        if model.biases:
            found["sum of entries", bias] = latents[bias].sum(-1)
            found["squared norm", bias] = latents[bias].square().sum(-1)
            found["biases times first entries", bias] = (latents[bias] * latents[side][..., 0]).sum(-1)
        if model.hierarchical:
            mean, precision = latents[f"mean_{side}"], latents[f"precision_{side}"]
            found["squared norm", f"mean_{side}"] = mean.square().sum(-1)
            found["log determinant", f"precision_{side}"] = torch.linalg.cholesky(precision).diagonal(
                dim1=-2, dim2=-1).log().sum(-1)
            found["trace", f"precision_{side}"] = precision.diagonal(dim1=-2, dim2=-1).sum(-1)
            if model.width > 1:
                found["entry", f"precision_{side}[0, 1]"] = precision[:, 0, 1]
            if isinstance(model, Featured):
                found["prior mean times rows", side] = (model.row_means(latents, side) * model.rows(latents, side)).sum(
                    (-2, -1))
                found["squared norm", f"weights_{side}"] = latents[f"weights_{side}"].square().sum((-2, -1))
                found["ridge", f"ridge_{side}"] = latents[f"ridge_{side}"]
            off = model.rows(latents, side) - model.row_means(latents, side)
            found["squared length in the prior", side] = torch.einsum("nik,nkl,nil->n", off, precision, off)
    return found


def normal(model: Ladder, latents: Latents, data: Replicates) -> Features:
    """What is N(0, 1) by algebra."""
    found: Features = {}
    for side, offset in ((users(data), "item_bias"), (items(data), "user_bias")):
        found |= residuals(model, side, latents, data, offset)
        if model.hierarchical:
            found |= of_mean(model, side.site, latents)
        if isinstance(model, Featured):
            found |= of_weights(model, side.site, latents)
    if model.noise_per_user:
        found |= of_precisions(latents, errors(model, latents, data), data)
    elif model.noise:
        error = errors(model, latents, data)
        rate = SCALE + 0.5 * error.square().sum(-1)
        shape = torch.full_like(rate, SHAPE + len(data) / 2)
        p = gammaincc(shape, rate / latents["sigma2"])
        found["quantile of the noise variance given the rest", "sigma2"] = ndtri(p.clamp(1e-12, 1 - 1e-12))
    return found


def errors(model: Ladder, latents: Latents, data: Replicates) -> Tensor:
    """What ratings are off what is expected of them, (n, N), standard units."""
    return (data.rating - model.expected(latents, data)) / model.unit  # type: ignore[arg-type]


def of_precisions(latents: Latents, error: Tensor, data: Replicates) -> Features:
    """Quantiles of a noise for every user, and of the typical one."""
    w, sigma2 = latents["precision_user"], latents["sigma2"]
    squares = torch.zeros_like(w).index_add(-1, data.user, error.square())
    count = torch.bincount(data.user, minlength=w.shape[-1])
    p = gammainc((ALIKE + count / 2).expand_as(w), (ALIKE * sigma2[:, None] + squares / 2) * w)
    rate = per_user.RATE + ALIKE * w.sum(-1)
    q = gammainc(torch.full_like(rate, per_user.SHAPE + ALIKE * w.shape[-1]), rate * sigma2)
    z, typical = (ndtri(x.clamp(1e-12, 1 - 1e-12)) for x in (p, q))
    found: Features = {("quantile of the noise variance given the rest", "sigma2"): typical}
    return found | {("quantile given the rest", f"precision_user[{i}]"): z[:, i] for i in range(w.shape[-1])}


def residuals(model: Ladder, side: Side, latents: Latents, data: Replicates, offset: str) -> Features:
    """Of the rows of a side, (u_i, b_i) or (v_j, c_j)."""
    variance = torch.as_tensor(model.noise_of(latents, data), dtype=torch.float64)  # type: ignore[arg-type]
    sigma, given = variance.sqrt() / model.unit, latents[side.other]
    more = model.effects(latents, data)  # type: ignore[arg-type]
    rating = (data.rating - model.centre - (0.0 if more is None else more)) / model.unit
    if model.biases:
        given = torch.cat([given, torch.ones_like(given[..., :1])], -1)
        rating = rating - latents[offset].index_select(-1, side.column)
    x = gather(given, side.column) / sigma[..., None]
    shift = add(side, x * (rating / sigma)[..., None], 1)
    eye = torch.eye(model.width, dtype=torch.float64)
    prior = latents[f"precision_{side.site}"] if model.hierarchical else eye / model.prior_variance
    precision = add(side, x[..., :, None] * x[..., None, :], 2) + prior[..., None, :, :]
    rated = torch.bincount(side.row, minlength=side.rows) > 0
    if model.hierarchical:
        means = model.row_means(latents, side.site)
        shift = shift + (prior[..., None, :, :] @ means[..., None])[..., 0]
        rated = torch.ones_like(rated)
    return whitened(side, precision, shift, model.rows(latents, side.site), rated)


def of_weights(model: Featured, side: str, latents: Latents) -> Features:
    """The whitened residual of B, L_F'(B - (F'F + ridge I)^-1 F'(rows - mean)) L, L L' = precision,
    L_F L_F' = F'F + ridge I; and the quantile of ridge ~ Gamma(2 + features D / 2, 1 + tr(B precision B') / 2)."""
    F, B, ridge = model.known(side), latents[f"weights_{side}"], latents[f"ridge_{side}"]
    precision = latents[f"precision_{side}"]
    root = torch.linalg.cholesky(F.mT @ F + ridge[:, None, None] * torch.eye(F.shape[1], dtype=F.dtype))
    off = B - torch.cholesky_solve(F.mT @ (model.rows(latents, side) - latents[f"mean_{side}"][..., None, :]), root)
    w = root.mT @ off @ torch.linalg.cholesky(precision)
    found: Features = {("squared residual", f"weights_{side}"): chi_square(w.flatten(1))} if B.shape[1] else {}
    found |= {("residual", f"weights_{side}[{f}]"): w[:, f].sum(-1) / w.shape[-1]**0.5 for f in range(len(F.mT))}
    rate = RIDGE_RATE + 0.5 * ((B @ precision) * B).sum((-2, -1))
    p = gammainc(torch.full_like(rate, RIDGE_SHAPE + B.shape[1] * B.shape[2] / 2), rate * ridge)
    return found | {("quantile of the ridge given the rest", f"ridge_{side}"): ndtri(p.clamp(1e-12, 1 - 1e-12))}


def of_mean(model: Ladder, side: str, latents: Latents) -> Features:
    """The whitened residual of a side's mean."""
    rows = model.rows(latents, side)
    if isinstance(model, Featured):
        rows = rows - model.known(side) @ latents[f"weights_{side}"]
    n = rows.shape[-2]
    L = torch.linalg.cholesky((STRENGTH + n) * latents[f"precision_{side}"])
    w: Tensor = (L.mT @ (latents[f"mean_{side}"] - rows.sum(-2) / (STRENGTH + n))[..., None])[..., 0]
    found: Features = {("squared residual", f"mean_{side}"): chi_square(w)}
    return found | {("residual", f"mean_{side}[{k}]"): w[:, k] for k in range(w.shape[-1])}
