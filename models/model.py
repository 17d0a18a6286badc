"""What a model is to everything that infers, checks or compares: told once, and no file outside asks which it has.

A third kind of model is one file here, one folder in `inference/` (its methods), one folder in `checks/problems/`
(small instances whose answers are known) and one in `experiments/`. Whoever has a `Model` may run, save, compare and
check it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

Latents = dict[str, Tensor]  # site -> value
Quantities = dict[str, Tensor]  # quantity -> value
Data = Any  # what a model is observed through: an image, ratings, None; only the model knows


def stream(seed: int) -> torch.Generator:
    """torch's stream of a seed of any size: what has more than 63 bits, or a sign, is hashed.

    >>> len({float(torch.rand((), generator=stream(seed))) for seed in (0, 1, 2**63, 10**300, -1, 0)})
    5
    """
    if not 0 <= seed < 2**63:
        seed = int.from_bytes(hashlib.blake2b(str(seed).encode(), digest_size=8).digest(), "little") >> 1
    return torch.Generator().manual_seed(seed)


class Model(Protocol):
    """log p(latents, data), and what else methods, checks and comparisons ask of it. A frozen dataclass.

    kind    the folder of `inference/` that holds its methods, and what the sets of `checks/problems/` say they are for
    sites   the shape of every latent site; float64, unless the site is among `labels`
    labels  sites of whole numbers 0..num_labels - 1
    dims    names of the axes of what is saved: "posterior/<site>" and "expected/<quantity>"
    """

    @property
    def kind(self) -> str: ...

    @property
    def sites(self) -> Mapping[str, tuple[int, ...]]: ...

    @property
    def labels(self) -> Mapping[str, int]:
        """Number of labels of every site of whole numbers."""

    @property
    def dims(self) -> Mapping[str, tuple[str, ...]]: ...

    @property
    def program(self) -> Callable[..., None] | None:
        """The same model as a Pyro program of the data, where it has one: what Pyro's kernels and guides run on."""

    @property
    def device(self) -> torch.device | str: ...

    def log_joint(self, latents: Latents, data: Data) -> Tensor:
        """log p(latents, data) in nats, constants that do not depend on the latents aside; leading axes are batches."""

    def prior(self, rng: torch.Generator) -> Latents:
        """A draw of the latents from the prior."""

    def somewhere(self, rng: torch.Generator) -> Latents:
        """Where a chain may start: cheap at any size, every value possible."""

    def simulate(self, rng: torch.Generator, latents: Latents) -> Data:
        """Data drawn given the latents."""

    def quantities(self, latents: Latents) -> Quantities:
        """What methods are compared on: known whatever symmetries the latents have; leading axes are batches."""

    def blank(self) -> Data:
        """An observation that says nothing: log_joint given it is the log prior."""

    def check_data(self, data: Data) -> None:
        """Errors: InputError for what this model is not observed through."""

    def small(self, rng: torch.Generator) -> tuple[Model, Data]:
        """The same kind of model where everything is fast, and data as a run would give them: a kernel is tried on it
        before anything long runs."""

    def facts(self, data: Data) -> dict[str, Any]:
        """What a result is of, for `Result.facts`: `model`, its class and what it believes, in numbers and words; and
        `data`, by set its size and a fingerprint."""

    @property
    def besides(self) -> tuple[str, ...]:
        """Sites that a plainer model of this kind lacks: a kernel made for that one would hand them on unmoved."""

    def given(self) -> str:
        """What a kernel is handed, in words: "a grid, latents labels (H, W), and data None"."""


def arguments(model: Model, data: Data) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """What `model.program`, and the kernels that run on it, are called with: the data, unless the model has arguments
    of its own to put them into (`arguments_with`)."""
    with_data = getattr(model, "arguments_with", None)
    if with_data is None:
        return (data,), {}
    given = with_data(data)
    return given.args, given.kwargs


def like(model: Model) -> Latents:
    """The model's latents by shape and dtype; the numbers mean nothing."""
    return {site: torch.empty(shape, dtype=torch.int64 if site in model.labels else torch.float64)
            for site, shape in model.sites.items()}


def described(data: object) -> str:
    """Data in a word or two, for an error."""
    return f"a tensor of shape {tuple(data.shape)}" if isinstance(data, Tensor) else f"a {type(data).__name__}"


def fingerprint(tensors: Iterable[Tensor]) -> str:
    """SHA-256 of shapes, types and bytes; 12 digits of it.

    >>> fingerprint([torch.arange(3)]) == fingerprint([torch.tensor([0, 1, 2])])
    True
    """
    digest = hashlib.sha256()
    for tensor in tensors:
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()[:12]
