"""Gibbs sampling with features: noise, then for each side B, ridge, precision and mean, then the rows; all replicates.

    B | rest ~ N((F'F + ridge I)^-1 F'(rows - mean), rows by (F'F + ridge I)^-1, columns by precision^-1)
    ridge | rest ~ Gamma(2 + features K / 2, 1 + tr(B precision B') / 2)
    precision, mean | rest: Normal-Wishart of the rows less F B, ridge B'B added and features degrees of freedom
    u_i | rest: N(mean + F_i B, precision^-1) times the likelihood of the user's ratings
"""

import torch

from checks.right.factorization.pieces import conditional, items, noise, normal, users
from checks.right.ladder.noise_gibbs import draw_variance
from errors import InputError
from models.densities import gamma
from models.features import RIDGE_RATE, RIDGE_SHAPE
from models.ladder import STRENGTH

BATCHED = True


def transition(rng, latents, model, data):
    latents = check(latents, model)
    if model.noise:
        error = (data.rating - model.quantities(latents, data.pairs)["prediction"]).square().sum(-1)
        latents["sigma2"] = draw_variance(rng, error, data)
    for side in "UV":
        latents |= weights(rng, latents, model, side)
        latents |= ridge(rng, latents, side)
        latents |= hyper(rng, latents, model, side)
    return rows(rng, latents, model, data)


def check(latents, model):
    if not hasattr(model, "known") or model.biases:
        raise InputError("this kernel is of features, without biases")
    return dict(latents)


def weights(rng, latents, model, side):
    """B: L_F'^-1 (L_F^-1 F'(rows - mean) + Z L^-1), L_F L_F' = F'F + ridge I, L L' = precision."""
    F, ridge = model.known(side), latents[f"ridge_{side}"]
    off = latents[side] - latents[f"mean_{side}"][..., None, :]
    root = torch.linalg.cholesky(F.mT @ F + ridge[..., None, None] * torch.eye(F.shape[1], dtype=F.dtype))
    L = torch.linalg.cholesky(latents[f"precision_{side}"])
    Z = noise(rng, latents[f"weights_{side}"])
    Z = torch.linalg.solve_triangular(L, Z, upper=False, left=False)
    Y = torch.linalg.solve_triangular(root, F.mT @ off, upper=False) + Z
    return {f"weights_{side}": torch.linalg.solve_triangular(root.mT, Y, upper=True)}


def ridge(rng, latents, side, scale=1.0):
    B, precision = latents[f"weights_{side}"], latents[f"precision_{side}"]
    rate = RIDGE_RATE + scale * 0.5 * ((B @ precision) * B).sum((-2, -1))
    return {f"ridge_{side}": gamma(rng, torch.full_like(rate, RIDGE_SHAPE + B[0].numel() / 2)) / rate}


def hyper(rng, latents, model, side, weighed=True):
    """Precision by Bartlett, then the mean; `weighed`: with what B says of the precision."""
    B = latents[f"weights_{side}"]
    X = latents[side] - model.known(side) @ B
    n, K = X.shape[-2:]
    m = X.mean(-2, keepdim=True)
    S = torch.eye(K, dtype=X.dtype) + (X - m).mT @ (X - m) + STRENGTH * n / (STRENGTH + n) * m.mT @ m
    df = K + n
    if weighed:
        S, df = S + latents[f"ridge_{side}"][..., None, None] * B.mT @ B, df + B.shape[-2]
    A = noise(rng, S).tril(-1)
    half = 0.5 * (df - torch.arange(K, dtype=X.dtype)).expand(len(X), K)
    A = A + torch.diag_embed((2 * gamma(rng, half)).sqrt())
    T = torch.linalg.solve_triangular(torch.linalg.cholesky(S).mT, A, upper=True)
    precision = T @ T.mT
    return {f"precision_{side}": precision, f"mean_{side}": normal(
        (STRENGTH + n) * precision, (precision @ X.sum(-2)[..., None])[..., 0], noise(rng, m[..., 0, :]))}


def rows(rng, latents, model, data):
    """Users given the items, then items given the users."""
    sigma = latents["sigma2"].sqrt()[..., None] if model.noise else data.rating.new_tensor(model.noise_variance**0.5)
    for side in (users(data), items(data)):
        precision, shift = conditional(side, latents[side.other] / sigma[..., None], data.rating / sigma, 1.0, 1.0)
        prior = latents[f"precision_{side.site}"][..., None, :, :]
        mean = latents[f"mean_{side.site}"][..., None, :] + model.known(side.site) @ latents[f"weights_{side.site}"]
        precision = precision - torch.eye(model.rank, dtype=precision.dtype) + prior
        latents[side.site] = normal(precision, shift + (prior @ mean[..., None])[..., 0],
                                    noise(rng, latents[side.site]))
    return latents
