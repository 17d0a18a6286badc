"""Pairwise Markov random fields on an H x W grid, Potts image denoising among them.

    log p~(y) = sum_ij unary[i, j, y_ij]
              + sum_ij right[i, j, y_ij, y_i(j+1)]
              + sum_ij down[i, j, y_ij, y_(i+1)j]            (nats, unnormalised)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

import room
from errors import InputError
from models.model import Latents, described, fingerprint

if TYPE_CHECKING:
    from pgmpy.models import DiscreteMarkovNetwork

LARGEST = 1e12  # nats; their differences then have four digits after the point
MAX_ENUMERATED = 2**22  # configurations; 9 pixels each are 300 MB as int64


@dataclass(frozen=True, eq=False, repr=False)
class GridMRF:
    """Log-potentials of a grid MRF, in nats and float64; one label out of K at every pixel.

    `evidence` is the weight with which an image given later as `data` enters (see `field`).
    Homogeneous pair potentials are broadcast views of one K x K table. A log-potential of -inf is a hard constraint:
    what it is of has probability 0.
    """

    unary: Float64[Tensor, "H W K"]
    right: Float64[Tensor, "H W-1 K K"]
    down: Float64[Tensor, "H-1 W K K"]
    evidence: float = 0.0

    kind: ClassVar[str] = "grid"
    program: ClassVar[None] = None
    dims: ClassVar[dict[str, tuple[str, ...]]] = {
        "posterior/labels": ("row", "column"), "expected/labels": ("row", "column", "label")}

    def __post_init__(self) -> None:
        if self.unary.ndim != 3 or min(self.unary.shape) < 1:
            raise InputError(f"a grid's unary potentials must have shape (H, W, K), none of them 0, "
                             f"not {tuple(self.unary.shape)}")
        H, W, K = self.unary.shape
        if K < 2:
            raise InputError(f"a grid needs at least 2 labels, not {K}")
        for name, shape in (("right", (H, W - 1, K, K)), ("down", (H - 1, W, K, K))):
            if tuple(getattr(self, name).shape) != shape:
                raise InputError(f"the grid's '{name}' potentials must have shape {shape}, "
                                 f"not {tuple(getattr(self, name).shape)}")
        for name in ("unary", "right", "down"):
            table = getattr(self, name)
            if table.dtype != torch.float64:
                raise InputError(f"the grid's '{name}' potentials must be float64, not {table.dtype}")
            wrong = table.isnan() | (table == torch.inf)
            if wrong.any():
                i, j = (int(x) for x in wrong.nonzero()[0, :2])
                raise InputError(f"the grid's '{name}' log-potentials must be finite, or -inf where something is "
                                 f"impossible; {int(wrong.sum())} of them are not, the first at row {i}, column {j}")
            self._within(name, float(table.nan_to_num(neginf=0.0).abs().max()) if table.numel() else 0.0)
            self._possible(name, table)
        self._within("evidence", abs(self.evidence))

    def _within(self, name: str, nats: float) -> None:
        if not nats <= LARGEST:
            raise InputError(f"the grid's '{name}' log-potentials reach {nats:.3g} nats: beyond {LARGEST:.0e} double "
                             f"precision no longer tells labels apart; use a smaller evidence, coupling or beta")

    @staticmethod
    def _possible(name: str, table: Tensor) -> None:
        """Errors: InputError, for Z is 0, for a pixel or an edge that allows nothing."""
        nothing = (distinct(table).flatten(2) == -torch.inf).all(-1)
        if nothing.any():
            i, j = (int(x[0]) for x in nothing.nonzero(as_tuple=True))
            raise InputError(f"no labelling is possible (Z = 0): every entry of the grid's '{name}' table at row {i}, "
                             f"column {j} is a potential of 0")

    @classmethod
    def potts(cls, image: Tensor, evidence: float = 10.0,
              coupling: Sequence[float] | Sequence[Sequence[float]] | Tensor = (10.0, 2.0)) -> GridMRF:
        """Potts denoising of `image`, an (H, W, K) table of 0 and 1.

            unary[i, j, k] = evidence * image[i, j, k]
            pair[k, l]     = coupling[|k - l|], zero beyond the table's end

        A pixel with no label set is unobserved; one with two set has evidence for both.
        `coupling` may also be the whole K x K table.
        """
        if image.ndim != 3:
            raise InputError(f"a label image must have shape (H, W, K), not {tuple(image.shape)}")
        image = image.to(torch.float64)
        if not bool(((image == 0) | (image == 1)).all()):
            raise InputError("a label image must hold only 0 and 1, one plane per label")
        H, W, K = image.shape
        room.refuse_beyond(f"a table of {K:,} x {K:,} labels", 24 * K**2, K, "labels", power=2)
        pair = pair_table(coupling, K).to(image.device)
        return cls(
            unary=evidence * image,
            right=pair.expand(H, max(W - 1, 0), K, K),
            down=pair.expand(max(H - 1, 0), W, K, K),
            evidence=float(evidence))

    def __repr__(self) -> str:
        H, W, K = self.shape
        return f"GridMRF({H} x {W}, {K} labels, {'tables by site' if self.pair is None else 'one table'})"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, K)."""
        H, W, K = self.unary.shape
        return H, W, K

    @property
    def pixels(self) -> tuple[int, int, int]:
        """(H, W, K) of what is found; of `models.folded` another than `shape`."""
        return self.shape

    @property
    def sites(self) -> dict[str, tuple[int, ...]]:
        """The latent site and its shape."""
        return {"labels": self.shape[:2]}

    @property
    def labels(self) -> dict[str, int]:
        return {"labels": self.shape[2]}

    @property
    def device(self) -> torch.device:
        return self.unary.device

    @property
    def pair(self) -> Float64[Tensor, "K K"] | None:
        """The one table of a homogeneous grid, or None where the tables differ by site."""
        tables = [t for t in (self.right, self.down) if t.numel()]
        if not tables:
            return self.unary.new_zeros(self.shape[2], self.shape[2])
        first = tables[0][0, 0]
        views = all(s == 0 or n == 1 for t in tables for s, n in zip(t.stride()[:2], t.shape[:2], strict=True))
        same = views and all(torch.equal(t[0, 0], first) for t in tables)
        return first if same else None

    @cached_property
    def forbids(self) -> dict[str, bool]:
        """Which of its tables have hard constraints, by name."""
        return {name: bool((distinct(getattr(self, name)) == -torch.inf).any()) for name in ("unary", "right", "down")}

    def to(self, device: torch.device | str) -> GridMRF:
        """The same model on another device; views stay views."""
        return self._map(lambda table: table.to(device))

    def scaled(self, beta: float) -> GridMRF:
        """All log-potentials times `beta`, an inverse temperature; what is impossible stays so."""
        return replace(self._map(lambda table: torch.where(table == -torch.inf, table, beta * table)),
                       evidence=beta * self.evidence)

    def clamped(self, labels: Int64[Tensor, "H W"]) -> GridMRF:
        """The same with pixels that are known for certain, those whose label is 0 or more: all others are impossible.

        >>> GridMRF.potts(torch.zeros(1, 2, 2)).clamped(torch.tensor([[1, -1]])).unary
        tensor([[[-inf, 0.],
                 [0., 0.]]], dtype=torch.float64)
        """
        H, W, K = self.shape
        if labels.shape != (H, W) or int(labels.max()) >= K:
            raise InputError(f"known labels must be (H, W) = {(H, W)} and below {K}, not {tuple(labels.shape)} and up "
                             f"to {int(labels.max())}")
        other = (labels[..., None] >= 0) & (labels[..., None] != torch.arange(K))
        return replace(self, unary=self.unary.masked_fill(other.to(self.device), -torch.inf))

    def _map(self, function: Callable[[Tensor], Tensor]) -> GridMRF:
        pair = self.pair
        if pair is None:
            return replace(self, unary=function(self.unary), right=function(self.right), down=function(self.down))
        pair = function(pair)
        return replace(self, unary=function(self.unary),
                       right=pair.expand(self.right.shape), down=pair.expand(self.down.shape))

    def field(self, data: Tensor | None = None) -> Float64[Tensor, "H W K"]:
        """The unary log-potentials given an observed image: unary + evidence * data.

        Without `data` the image is already in `unary` (`potts`), or there is none.

        >>> image = torch.tensor([[[1, 0], [0, 1]]])
        >>> GridMRF.potts(image).field()
        tensor([[[10.,  0.],
                 [ 0., 10.]]], dtype=torch.float64)
        """
        return self.unary if data is None else self.unary + self.evidence * data

    def log_joint(self, latents: Latents, data: Tensor | None = None) -> Tensor:
        """log p~(y, data) of `labels`, (..., H, W) integers; returns (...), in nats; images may be (..., H, W, K)."""
        y = latents["labels"].to(torch.int64)
        H, W, K = self.shape
        rows = torch.arange(H, device=y.device)[:, None]
        columns = torch.arange(W, device=y.device)
        total = self.field(data).expand(*y.shape, K).gather(-1, y[..., None])[..., 0].sum((-2, -1))
        total = total + self.right[rows, columns[:-1], y[..., :-1], y[..., 1:]].sum((-2, -1))
        return total + self.down[rows[:-1], columns, y[..., :-1, :], y[..., 1:, :]].sum((-2, -1))

    def quantities(self, latents: Latents) -> dict[str, Tensor]:
        """What methods are compared on: label indicators (..., H, W, K), whose mean is the marginal."""
        K = self.shape[2]
        return {"labels": torch.nn.functional.one_hot(latents["labels"].to(torch.int64), K).to(torch.float64)}

    def somewhere(self, rng: torch.Generator) -> Latents:
        """Every pixel's label by itself, all equally likely: `prior` enumerates, which only small grids allow."""
        H, W, K = self.shape
        return {"labels": torch.randint(K, (H, W), generator=rng, device=rng.device)}

    def blank(self) -> None:
        """No image."""

    def check_data(self, data: object) -> None:
        if data is not None and (not isinstance(data, Tensor) or data.shape[-3:] != self.shape):
            raise InputError(f"a grid of {' x '.join(map(str, self.shape[:2]))} pixels and {self.shape[2]} labels is "
                             f"observed through an image of shape {self.shape}, or through None where the image is in "
                             f"the model, not through {described(data)}")

    def small(self, rng: torch.Generator) -> tuple[GridMRF, None]:
        """A 3 x 3 image with mixed-sign couplings, which is in the model as in Problem 1."""
        seen = torch.tensor([[0, 0, 1], [0, 1, 1], [0, 0, 0]])
        return GridMRF.potts(torch.nn.functional.one_hot(seen, min(self.shape[2], 3)), 1.0, (1.2, -0.4)), None

    def facts(self, data: Tensor | None = None) -> dict[str, Any]:
        """The size; the fingerprint is of the potentials, which hold the image."""
        H, W, K = self.shape
        potentials = (self.field(data), self.right, self.down)
        return {"model": {"class": type(self).__name__, "height": H, "width": W, "labels": K},
                "data": {"grid": {"pixels": H * W, "fingerprint": fingerprint(map(distinct, potentials))}}}

    @property
    def besides(self) -> tuple[str, ...]:
        return ()

    def given(self) -> str:
        return "a grid, latents labels (H, W), and data None, for the image is in the model"

    @cached_property
    def configurations(self) -> Int64[Tensor, "n H W"]:
        """Every labelling, on grids small enough to list them."""
        H, W, K = self.shape
        if K ** (H * W) > MAX_ENUMERATED:
            raise InputError(f"{K}^{H * W} configurations of a {H} x {W} grid with {K} labels are more than "
                             f"the {MAX_ENUMERATED} that can be listed; use the method 'strip'")
        count = K ** (H * W)
        index = torch.arange(count, device=self.device)
        digits = [index // K**p % K for p in range(H * W - 1, -1, -1)]
        return torch.stack(digits, -1).reshape(count, H, W)

    def prior(self, rng: torch.Generator) -> Latents:
        """An exact draw of the labels from p(y) with no image seen, by enumeration (small grids)."""
        pick = torch.multinomial(self._prior_weights, 1, generator=rng)
        return {"labels": self.configurations[pick[0]]}

    @cached_property
    def _prior_weights(self) -> Tensor:
        return torch.softmax(self.log_joint({"labels": self.configurations}), 0)

    def simulate(self, rng: torch.Generator, latents: Latents) -> Float64[Tensor, "H W K"]:
        """An image from the noisy channel p(x | y) = softmax_x(evidence * [x == y]), as indicators.

        Potts denoising is the posterior of `prior` seen through this channel: the channel's
        normaliser does not depend on y, so log p(y, x) is `log_joint(y, x)` up to a constant.
        """
        y = latents["labels"]
        K = self.shape[2]
        channel = torch.softmax(self.evidence * torch.eye(K, dtype=torch.float64, device=y.device), 1)
        x = torch.multinomial(channel[y.reshape(-1)], 1, generator=rng).reshape(y.shape)
        return torch.nn.functional.one_hot(x, K).to(torch.float64)

    def to_pgmpy(self, data: Tensor | None = None) -> tuple[DiscreteMarkovNetwork, float]:
        """The same field as a pgmpy network over nodes (row, column), and the log of its scale.

        Every factor is divided by its maximum, so exp never overflows;
        log Z = log Z of the network + the returned scale.
        """
        from pgmpy.factors.discrete import DiscreteFactor
        from pgmpy.models import DiscreteMarkovNetwork

        H, W, K = self.shape
        sites = list(itertools.product(range(H), range(W)))
        field = self.field(data)
        tables: dict[tuple[tuple[int, int], ...], Tensor] = {((i, j),): field[i, j] for i, j in sites}
        tables |= {((i, j), (i, j + 1)): self.right[i, j] for i, j in sites if j + 1 < W}
        tables |= {((i, j), (i + 1, j)): self.down[i, j] for i, j in sites if i + 1 < H}
        network = DiscreteMarkovNetwork()
        network.add_nodes_from(sites)
        network.add_edges_from([nodes for nodes in tables if len(nodes) == 2])
        network.add_factors(*(
            DiscreteFactor(list(nodes), [K] * len(nodes), torch.exp(table - table.max()).cpu().numpy())
            for nodes, table in tables.items()))
        return network, float(sum(table.max() for table in tables.values()))


def pair_table(coupling: Sequence[float] | Sequence[Sequence[float]] | Tensor, K: int) -> Float64[Tensor, "K K"]:
    """The K x K table of pair log-potentials from a table by label distance, or itself if it is K x K.

    >>> pair_table((10.0, 2.0), 3)
    tensor([[10.,  2.,  0.],
            [ 2., 10.,  2.],
            [ 0.,  2., 10.]], dtype=torch.float64)
    """
    table = torch.as_tensor(coupling, dtype=torch.float64)
    if table.shape == (K, K):
        return table
    if table.ndim != 1 or len(table) == 0:
        raise InputError(f"coupling must be a list by label distance, or a {K} x {K} table, "
                         f"not of shape {tuple(table.shape)}")
    by_distance = torch.zeros(max(K, len(table)), dtype=torch.float64)
    by_distance[: len(table)] = table
    label = torch.arange(K)
    return by_distance[(label[:, None] - label).abs()]


def distinct(table: Tensor) -> Tensor:
    """A table of pair potentials without the leading axes along which it does not change, view or not.

    >>> distinct(torch.eye(2).expand(5, 4, 2, 2)).shape
    torch.Size([1, 1, 2, 2])
    """
    for axis in range(max(table.ndim - 2, 0)):
        if table.shape[axis] > 1 and torch.equal(table, table.narrow(axis, 0, 1).expand(table.shape)):
            table = table.narrow(axis, 0, 1)
    return table
