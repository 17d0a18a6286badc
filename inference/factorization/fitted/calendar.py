"""The days and periods of a model with time, as a saved fit holds them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from models.factorization import Factorization
from models.rungs.time import PERIOD, Calendar, Cells
from models.timed import Timed

CELL = ("row", "period", "count")


def dates(model: Factorization) -> dict[str, np.ndarray]:
    """Of each cell of a model with time its user or item, its period, counted from 1970, and its ratings; see
    `calendar_of`."""
    if not isinstance(model, Timed):
        return {}
    return {f"{cells.sites[0]}_{what}": getattr(cells, what).cpu().numpy() for cells in model.of_time.calendar.sides
            for what in CELL}


def calendar_of(training: Mapping[str, np.ndarray], users: int, items: int) -> Calendar:
    """The calendar that `dates` was made of. Errors: KeyError where something is missing, ValueError where these are
    not the cells of so many users and items, in their order."""
    user, item = (Cells(side, rows, days, *(torch.from_numpy(training[f"{site}_{what}"].astype(np.int64))
                                            for what in CELL))
                  for side, rows, days, site in (("user", users, 1, "user_day"),
                                                 ("item", items, PERIOD, "item_period")))
    for cells in (user, item):
        sizes = {len(x) for x in (cells.row, cells.period, cells.count)}
        if sizes == {0} or len(sizes) > 1 or not cells.sound:
            raise ValueError(cells.side)
    return Calendar(user, item)
