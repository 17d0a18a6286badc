"""The data of posteriordb's posteriors: in the folder that the variable POSTERIORDB says, or beside this file.

A file is NAME.json, NAME.json.gz or posteriordb's own NAME.json.zip. posteriordb: https://github.com/stan-dev/posteriordb
"""

import gzip
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import torch

FORMS = (".json", ".json.gz", ".json.zip")


def read(*names: str) -> dict[str, Any]:
    """The data in the first of these files that is there; its lists are tensors, of whole numbers where all are."""
    folder = Path(os.environ.get("POSTERIORDB", Path(__file__).parent))
    found = [path for name in names for form in FORMS if (path := folder / (name + form)).is_file()]
    if not found:
        raise FileNotFoundError(f"no {names[0]}.json, .json.gz or .json.zip in {folder}: get it from posteriordb, and "
                                f"say by POSTERIORDB=folder where it is")
    said = json.loads(opened(found[0]))
    return {name: torch.tensor(x) if isinstance(x, list) else x for name, x in said.get("data", said).items()}


def opened(path: Path) -> bytes:
    raw = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(raw)
    if path.suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return archive.read(archive.namelist()[0])
    return raw
