"""What a result is of: the problem, the model and its parameters, and fingerprints of the data.

Two results can be ranked by how they predict where the data are the same, and by their evidence where the model is
the same as well; `experiments/compare.py` holds to that. A fingerprint is SHA-256 of the bytes, 12 digits of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from models.factorization import Factorization, Ratings
from models.grid import GridMRF

DIGITS = 12
ELSEWHERE = ("pairs", "device")  # where a model predicts and where it is computed, not what it believes
_known: WeakKeyDictionary[Ratings, str] = WeakKeyDictionary()


def facts(model: Any, data: Any, observer: Any = None) -> dict[str, Any]:
    """The lines of `Result.facts` that say what a result is of.

    problem  "grid" or "factorization", or the class of the model
    model    its class, and those of its fields that are numbers or words
    data     {set: {"ratings": how many, "fingerprint"}}: train, and those that the observer scores, where the
             training set is scored_train, as it may be a part of it; of a grid {"grid": ...}, whose potentials
             hold the image
    samples  draws from q behind every score, where there are scores
    """
    if isinstance(model, GridMRF):
        potentials = (model.field(data), model.right, model.down)
        H, W, K = model.shape
        return {"problem": "grid", "model": {"class": "GridMRF", "height": H, "width": W, "labels": K},
                "data": {"grid": {"pixels": H * W, "fingerprint": fingerprint(map(distinct, potentials))}}}
    said = {f.name: getattr(model, f.name) for f in fields(model) if f.name not in ELSEWHERE} \
        if is_dataclass(model) else {}
    found = {"problem": "factorization" if isinstance(model, Factorization) else type(model).__name__,
             "model": {"class": type(model).__name__}
             | {n: v for n, v in said.items() if isinstance(v, bool | int | float | str)}}
    if isinstance(data, Ratings):
        sets = {"train": data} | {f"{'scored_' * (name == 'train')}{name}": ratings
                                  for name, ratings in getattr(observer, "sets", {}).items()}
        found["data"] = {name: {"ratings": len(ratings), "fingerprint": of_ratings(ratings)}
                         for name, ratings in sets.items()}
    if hasattr(observer, "samples"):
        found["samples"] = observer.samples
    return found


def of_ratings(ratings: Ratings) -> str:
    """Fingerprint of the triples in their order; made once."""
    if ratings not in _known:
        _known[ratings] = fingerprint((*ratings.pairs, ratings.rating))
    return _known[ratings]


def distinct(table: Tensor) -> Tensor:
    """A table of pair potentials without the leading axes along which it does not change, view or not."""
    for axis in range(max(table.ndim - 2, 0)):
        if table.shape[axis] > 1 and torch.equal(table, table.narrow(axis, 0, 1).expand(table.shape)):
            table = table.narrow(axis, 0, 1)
    return table


def fingerprint(tensors: Iterable[Tensor]) -> str:
    """Of shapes, types and bytes."""
    digest = hashlib.sha256()
    for tensor in tensors:
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()[:DIGITS]
