"""Many chains side by side, in logs: the sums and maxima along each, its marginals, and a draw.

    log p~(y) = sum_j phi_j(y_j) + sum_j pair_j(y_j, y_(j+1))              (nats, of one chain)
    a_j(k) = phi_j(k) + log sum_l exp(a_(j-1)(l) + pair_(j-1)(l, k))       all that ends in label k at site j
    b_j(l) = log sum_k exp(pair_j(l, k) + phi_(j+1)(k) + b_(j+1)(k))       all that follows label l at site j

log Z = log sum_k exp a_j(k) + b_j(k) at any site j. With max in place of log sum exp it is the largest log p~.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from inference.grid.parts.single_site import pick

Plus = Callable[[Tensor, int], Tensor]  # torch.logsumexp, or torch.amax
Phi = Float64[Tensor, "chains sites K"]
Pairs = Float64[Tensor, "chains sites-1 K K"]


def forward(phi: Phi, pair: Pairs, plus: Plus = torch.logsumexp) -> Phi:
    """a of every site."""
    if compiled(phi, pair):
        return _compiled("forward", phi, pair, plus)
    a = torch.empty_like(phi, memory_format=torch.contiguous_format)
    a[:, 0] = phi[:, 0]
    for j in range(pair.shape[1]):
        a[:, j + 1] = phi[:, j + 1] + plus(a[:, j, :, None] + pair[:, j], 1)
    return a


def backward(phi: Phi, pair: Pairs, plus: Plus = torch.logsumexp) -> Phi:
    """b of every site."""
    if compiled(phi, pair):
        return _compiled("backward", phi, pair, plus)
    b = torch.zeros_like(phi, memory_format=torch.contiguous_format)
    for j in reversed(range(pair.shape[1])):
        b[:, j] = plus(pair[:, j] + (phi[:, j + 1] + b[:, j + 1])[:, None], 2)
    return b


def compiled(*tables: Tensor) -> bool:
    """Whether numba may do it: on the CPU, and where nobody asks for a gradient. The twins differ by rounding only."""
    return not any(t.device.type != "cpu" or t.requires_grad for t in tables)


def _compiled(which: str, phi: Phi, pair: Pairs, plus: Plus) -> Phi:
    from inference.grid.compiled import chains as chains_numba

    return chains_numba.run(which, phi, pair, plus is torch.amax)


def total(phi: Phi, pair: Pairs, plus: Plus = torch.logsumexp) -> Float64[Tensor, "chains"]:
    """log Z of every chain, or with `torch.amax` the largest log p~.

    >>> total(torch.zeros(1, 3, 2).double(), torch.zeros(1, 2, 2, 2).double()).exp().round()
    tensor([8.], dtype=torch.float64)
    """
    return plus(forward(phi, pair, plus)[:, -1], 1)


def draw(rng: torch.Generator, a: Phi, pair: Pairs) -> Int64[Tensor, "chains sites"]:
    """A draw of every chain: its last label from softmax a, the others from softmax_l(a_j(l) + pair_j(l, y_(j+1)))."""
    uniform = torch.rand(a.shape[:2], dtype=torch.float64, device=a.device, generator=rng)
    chain = torch.arange(len(a), device=a.device)
    labels = [pick(torch.softmax(a[:, -1], -1), uniform[:, -1])]
    for j in reversed(range(pair.shape[1])):
        labels.append(pick(torch.softmax(a[:, j] + pair[chain, j, :, labels[-1]], -1), uniform[:, j]))
    return torch.stack(labels[::-1], 1)
