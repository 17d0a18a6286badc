"""Anything the loop must remember, as named arrays and JSON in one file: written aside, then renamed.

Dataclasses, dicts, lists and tuples become a JSON tree whose leaves are numbers, words and
references to arrays; nothing is pickled. Dataclasses are found again by name among `classes`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from files import whole

TREE = "__tree__"


def save(path: Path, value: object) -> None:
    """Write `value` to `path` as one .npz; a reader sees the old file or the new one, never a half."""
    arrays: dict[str, np.ndarray] = {}
    tree = json.dumps(_pack(value, arrays)).encode()
    with whole(path) as aside, open(aside, "wb") as file:
        np.savez(file, **{TREE: np.frombuffer(tree, np.uint8)}, **arrays)  # type: ignore[arg-type]


def load(path: Path, classes: Iterable[type] = (), device: torch.device | str = "cpu") -> Any:
    """What `save` wrote. Errors: ValueError or OSError for a file that it did not write."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name != TREE}
            tree = json.loads(file[TREE].tobytes())
    except BadZipFile as error:
        raise ValueError(str(error)) from error
    return _unpack(tree, arrays, {c.__name__: c for c in classes}, device)


def _pack(value: object, arrays: dict[str, np.ndarray]) -> object:
    if isinstance(value, Tensor):
        name = f"a{len(arrays)}"
        arrays[name] = value.detach().cpu().numpy()
        return {"tensor": name, "cpu": value.device.type == "cpu"}
    if is_dataclass(value) and not isinstance(value, type):
        packed = {f.name: _pack(getattr(value, f.name), arrays) for f in fields(value)}
        return {"dataclass": type(value).__name__, "fields": packed}
    if isinstance(value, dict):
        return {"dict": [[_pack(k, arrays), _pack(v, arrays)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_pack(v, arrays) for v in value]}
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a state may hold tensors, numbers, words, dataclasses, dicts, lists and tuples, "
                    f"not {type(value).__name__}")


def _unpack(tree: Any, arrays: dict[str, np.ndarray], classes: dict[str, type], device: torch.device | str) -> Any:
    if not isinstance(tree, dict):
        return tree
    if "tensor" in tree:
        tensor = torch.from_numpy(arrays[tree["tensor"]])
        return tensor if tree["cpu"] else tensor.to(device)
    if "dataclass" in tree:
        kind = classes[tree["dataclass"]]
        return kind(**{k: _unpack(v, arrays, classes, device) for k, v in tree["fields"].items()})
    if "dict" in tree:
        return {_unpack(k, arrays, classes, device): _unpack(v, arrays, classes, device) for k, v in tree["dict"]}
    kind = {"list": list, "tuple": tuple}[next(iter(tree))]
    return kind(_unpack(v, arrays, classes, device) for v in next(iter(tree.values())))
