"""How far a fitted guide is from the posterior, in sentences that would be said of the posterior itself with a stated
probability at most. None of them makes a guide wrong: a family may be too small, and right.

From R data sets drawn with the latents behind them, and N draws of the q that was fitted to each:

    KL          log w = log p - log q: E_q w = p(y), so prod_r (mean w_r / p(y_r)) has mean 1, and by Markov's
                inequality mean KL(q || p) >= mean_r (log mean w_r - mean log w_r) - log(1 / a) / R but with
                probability a
    scores      E_q s = 0 and E_q [t_i s_j] = -1[i = j] if q is the posterior; s = d log p / du in sds of q, t = u in
                the same, both from other draws (Stein); Student's t over the data sets
    coverage    the rank of the true latent among the draws is uniform (Cook, Gelman and Rubin 2006; Yao et al. 2018):
                of its normal score z the sum is N(0, R), the sum of squares chi-squared
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from checks.guides.refitted import Fits

NATS = 1.0  # that a fit may lack
OFF = 0.3  # sds, and shares of them, that are not worth a word
SHOWN = 3  # sites of a sentence
LEAST = 4  # data sets
FEW = 40  # numbers whose pairs are looked at


def poor(fits: Fits, level: float) -> list[str]:
    """Sentences, and last one that is no blame; each is said of the posterior with probability `level` at most."""
    R = len(fits.true)
    if R < LEAST:
        return [f"how well it fits is not told: of {R + fits.away} data sets {fits.away} were not fitted to the end by "
                f"Adam's steps here"]
    nats = kl_bound(fits.log_w, level)
    said = [f"the KL of q to the posterior is {nats:.1f} nats or more"] if nats > NATS else []
    said += [line for line in (_coverage(fits, level), *_scores(fits, level)) if line]
    told = (f"of its fits to {R} data sets drawn from the model: KL to the posterior {max(nats, 0.0):.2f} nats or "
            f"more, q's 90% intervals hold {_covered(fits):.0%} of the latents"
            + (f" ({fits.away} others were not fitted to the end)" if fits.away else ""))
    rate = (f"; a line that begins with poor would be said of the posterior itself with probability at most {level:g}, "
            f"and tells how good the fit is, not whether the guide is right" if said else "")
    return [f"poor: {line}" for line in said] + [told + rate]


def kl_bound(log_w: Tensor, level: float) -> float:
    """Nats that the mean KL(q || p) exceeds, but with probability `level`; log_w is (R, N)."""
    R, N = log_w.shape
    evidence = float((log_w.logsumexp(1) - math.log(N)).mean()) - math.log(2 / level) / R
    error = float((log_w.var(1) / N).mean() / R) ** 0.5
    return evidence - float(log_w.mean()) - float(stats.norm.isf(level / 2)) * error


def _coverage(fits: Fits, level: float) -> str:
    """Intervals that are too narrow, too wide or beside the mark, by site."""
    R, N = fits.log_w.shape
    rank = (fits.u < fits.true[:, None]).double().sum(1)
    z = torch.special.ndtri((rank + 0.5) / (N + 1))
    allowed = level / (2 * z.shape[1])
    place = 2 * stats.norm.sf((z.sum(0) / math.sqrt(R)).abs().numpy())
    total = (z**2).sum(0).numpy()
    spread = 2 * np.minimum(stats.chi2.cdf(total, R), stats.chi2.sf(total, R))
    inside = ((rank > 0.05 * N) & (rank < 0.95 * N)).sum(0)
    away = (((fits.true - fits.u.mean(1)) / fits.u.std(1)) ** 2).mean(0).sqrt()  # 1 in the posterior
    off = [(name, abs(math.log(far)), f"{name} {int(inside[i])} times in {R}, as if q's sd were {1 / far:.2g} times "
            f"what it should be") for i, name in enumerate(fits.names)
           if spread[i] < allowed and (far := float(away[i]))]
    off += [(name, abs(mean), f"{name} lies {abs(mean):.1f} sds too {'low' if mean > 0 else 'high'} on average")
            for i, name in enumerate(fits.names) if place[i] < allowed and (mean := float(z[:, i].mean()))]
    return _worst("q's 90% intervals hold what they should too seldom or too often: ", off)


def _covered(fits: Fits) -> float:
    low, high = torch.quantile(fits.u, torch.tensor([0.05, 0.95], dtype=fits.u.dtype), 1)
    return float(((low <= fits.true) & (fits.true <= high)).double().mean())


def _scores(fits: Fits, level: float) -> list[str]:
    """Means, spreads and dependences that a small change of q would better, by the slopes of log p."""
    first, second = fits.u.chunk(2, 1)
    mean, sd = first.mean(1, keepdim=True), first.std(1, keepdim=True)
    D = fits.u.shape[2]
    s = fits.slope * sd
    early, late = (part.mean(1) for part in s.chunk(2, 1))
    tests = 2 * D + (D * (D - 1) if D <= FEW else 0)
    product, p = _t_test(early * late)
    far = [(name, size := float(product[i]) ** 0.5, f"that of {name} is about {size:.1f} of q's sds off")
           for i, name in enumerate(fits.names) if p[i] / 2 * tests < level and product[i] > OFF**2]
    t, s = (second - mean) / sd, s.chunk(2, 1)[1]
    A, p = _t_test(torch.einsum("rni,rnj->rij", t, s) / t.shape[1] + torch.eye(D, dtype=t.dtype))
    wide = [(name, abs(a), f"that of {name} is too {'small' if a > 0 else 'large'} ({a:+.1f} nats a factor of e)")
            for i, name in enumerate(fits.names) if p[i, i] * tests < level and abs(a := float(A[i, i])) > OFF]
    pairs = [(f"{fits.names[i]} {fits.names[j]}", abs(a), f"that of {fits.names[j]} and {fits.names[i]} "
              f"(E_q[t s] = {a:+.1f}, and 0 in the posterior)")
             for i in range(D) for j in range(i) if D <= FEW and p[i, j] * tests < level
             and abs(a := float(A[i, j])) > OFF]
    return [_worst("the slopes of the ELBO say of q's mean: ", far),
            _worst("the slopes of the ELBO say of q's sd: ", wide),
            _worst("the slopes of log p say that q lacks a dependence: ", sorted(pairs, key=_size)[-1:])]


def _size(found: tuple[str, float, str]) -> float:
    return found[1]


def _t_test(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean over the data sets, and the two-sided p-value that it is 0."""
    R = len(x)
    t = x.mean(0) / (x.std(0) / math.sqrt(R)).clamp_min(1e-12)
    return x.mean(0), torch.as_tensor(2 * stats.t.sf(t.abs().numpy(), R - 1))


def _worst(words: str, found: list[tuple[str, float, str]]) -> str:
    """The worst entry of every site, a few of them; "" if there is none."""
    sites: dict[str, str] = {}
    for name, _, said in sorted(found, key=_size, reverse=True):
        sites.setdefault(name.partition("[")[0], said)
    more = f", and {len(sites) - SHOWN} sites more" if len(sites) > SHOWN else ""
    return words + ", ".join(list(sites.values())[:SHOWN]) + more if sites else ""
