"""What files say of users and items, for a model with features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data.side_information import read_known
from models.factorization import Factorization
from models.features import Featured, informed
from models.ratings import Ratings, label_array

Say = Callable[[str], None]


def with_files(model: Factorization, train: Ratings, files: tuple[Path | None, Path | None], columns: str | None,
               implicit: bool, say: Say) -> Factorization:
    """The model with the features of these files, of users and of items; says which its features are.

    Errors: InputError where there are none, or too many.
    """
    if not isinstance(model, Featured):
        return model
    found: dict[str, Any] = {"implicit": implicit}
    for side, path, names, count in (("user", files[0], train.user_ids, model.num_users),
                                     ("item", files[1], train.item_ids, model.num_items)):
        if path is not None:
            ids = np.arange(count) if names is None else label_array(names)
            found[f"{side}_known"] = read_known(path, side, ids, columns, say).to(model.device)
    model = replace(model, **found)
    say(summary(informed(model, train.pairs)))
    return model


def summary(model: Featured) -> str:
    """Which features there are, and how many.

    >>> from models.features import named
    >>> import torch
    >>> summary(informed(named("hierarchical+features", 3, 2, 1), (torch.tensor([0]), torch.tensor([1]))))
    'features of users: 2 implicit; of items: 3 implicit'
    """
    said = []
    for side, name, known in (("U", "users", model.user_known), ("V", "items", model.item_known)):
        count = model.known(side).shape[1]
        of_file = known.values.shape[1] if known else 0
        parts = [f"{count - of_file:,} implicit"] * model.implicit + [f"{of_file:,} of the file"] * (known is not None)
        said.append(f"of {name}: {' and '.join(parts) or 'none'}")
    return f"features {'; '.join(said)}"
