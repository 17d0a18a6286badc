"""Anything the loop must remember, as named arrays and JSON in one file: written aside, then renamed.

Dataclasses, dicts, lists and tuples become a JSON tree whose leaves are numbers, words and
references to arrays; nothing is pickled. Dataclasses are found again by name among `classes`. At its end the file
has the fingerprint of what is before, so that a damaged one is known before it is parsed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import torch
from torch import Tensor

from arrays import read_npy
from errors import InputError, short
from files import seal, sealed, whole

TREE = "__tree__"
PART = 2**24  # bytes that are written to see how fast a disk is


def save(path: Path, value: object) -> None:
    """Write `value` to `path` as one .npz; a reader sees the old file or the new one, never a half."""
    arrays: dict[str, np.ndarray] = {}
    tree = json.dumps(_pack(value, arrays)).encode()
    with whole(path) as aside:
        _write(aside, {TREE: np.frombuffer(tree, np.uint8)} | arrays)


def _write(aside: Path, arrays: dict[str, np.ndarray]) -> None:
    with open(aside, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    seal(aside)


def seconds(path: Path, size: int) -> float:
    """That `save` will take for so many bytes, by those of writing a part of them there; 0 if they are few."""
    if size <= PART:
        return 0.0
    began, aside = time.monotonic(), whole(path).aside
    try:
        _write(aside, {"part": np.arange(PART // 8)})
        return (time.monotonic() - began) * size / PART
    finally:
        aside.unlink(missing_ok=True)


def load(path: Path, classes: Iterable[type] = (), device: torch.device | str = "cpu") -> Any:
    """What `save` wrote. Errors: InputError for a file that is not as it wrote it, OSError."""
    if not sealed(path):
        raise InputError("it is damaged, or another program or version wrote it")
    try:
        arrays = _arrays(path)
        tree = json.loads(arrays.pop(TREE).tobytes())
    except (OSError, InputError, MemoryError):
        raise
    except Exception as error:  # zipfile and json, on what somebody put a fingerprint to: zipfile raises what it likes
        raise InputError(f"it is not what this program writes: {short(error)}") from None
    return _unpack(tree, arrays, {c.__name__: c for c in classes}, device)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """All of them. Errors: InputError where one is compressed, which ours are not and which may fill the memory."""
    with ZipFile(path) as archive:
        members, size = archive.infolist(), path.stat().st_size
        if any(m.compress_type != ZIP_STORED for m in members) or sum(m.file_size for m in members) > size:
            raise InputError("it is compressed, which this program does not do")
        found = {}
        for member in members:
            with archive.open(member) as file:
                found[member.filename.removesuffix(".npy")] = read_npy(file, member.file_size)  # type: ignore[arg-type]
        return found


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
    """Errors: InputError for a tree that `_pack` does not make."""
    def inside(value: Any) -> Any:
        return _unpack(value, arrays, classes, device)

    match tree:
        case None | bool() | int() | float() | str():
            return tree
        case {"tensor": str(name), "cpu": bool(cpu)} if name in arrays:
            return _tensor(arrays[name], "cpu" if cpu else device)
        case {"dataclass": str(name), "fields": dict(values)} if _fits(name, values, classes):
            return classes[name](**{field: inside(value) for field, value in values.items()})
        case {"dict": list(pairs)} if all(isinstance(p, list) and len(p) == 2 and _key(p[0]) for p in pairs):
            return {inside(key): inside(value) for key, value in pairs}
        case {"list": list(values)}:
            return [inside(value) for value in values]
        case {"tuple": list(values)}:
            return tuple(inside(value) for value in values)
    raise InputError(f"it holds {short(tree)}, which is of another method or version")


def _tensor(array: np.ndarray, device: torch.device | str) -> Tensor:
    """Errors: InputError for numbers that torch has not."""
    try:
        return torch.from_numpy(array).to(device)
    except TypeError:
        raise InputError(f"it holds {array.dtype}, which is of another version") from None


def _fits(name: str, values: dict[str, Any], classes: dict[str, type]) -> bool:
    return name in classes and values.keys() == {f.name for f in fields(classes[name])}


def _key(tree: Any) -> bool:
    """Whether it is of something that a dict may have as a key."""
    inner = tree.get("tuple") if isinstance(tree, dict) else None
    return all(_key(each) for each in inner) if isinstance(inner, list) else not isinstance(tree, dict | list)
