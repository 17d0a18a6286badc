"""Row Gibbs, then U and V turned by one random rotation, which changes neither u_i . v_j nor the isotropic prior."""

import torch

from checks.right.factorization import row_gibbs
from checks.right.factorization.pieces import noise

BATCHED = True


def transition(rng, latents, model, data):
    return turn(rng, row_gibbs.transition(rng, latents, model, data))


def turn(rng, latents, sites=("U", "V")):
    Q = rotation(rng, latents["V"])
    return {site: x @ Q if site in sites else x for site, x in latents.items()}


def rotation(rng, rows):
    """A uniformly distributed orthogonal matrix for every replicate (QR of N(0, 1) entries, signs of R taken out)."""
    K = rows.shape[-1]
    Q, R = torch.linalg.qr(noise(rng, rows.new_empty(*rows.shape[:-2], K, K)))
    return Q * R.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]
