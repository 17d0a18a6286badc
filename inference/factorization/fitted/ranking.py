"""What to recommend: the unrated items with the highest predictive means; and how good it is on the test set.

    precision@N = relevant among the N / N        recall@N = relevant among the N / relevant
    NDCG@N = sum_{k relevant} 1 / log2(1 + k) over what the best order has        (k the rank; Jarvelin and Kekalainen)
    coverage@N = items that are recommended to somebody / items,        its standard error by leaving out each user:
        sqrt((n - 1) / n sum_u (c_u - mean c)^2),    c_u the share of items that nobody but u is recommended

Relevant is a test rating of at least `threshold`. Candidates are the items without a training rating of the user.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from inference.factorization.fitted.fit import BLOCK, Fit
from inference.factorization.fitted.fold_in import Rows, means

MOST = 2000  # users whose test ratings are ranked, evenly spaced


@dataclass(frozen=True)
class TopN:
    """Means over users, and their standard errors."""

    top: int
    users: int
    threshold: float
    scores: dict[str, tuple[float, float | None]]


def best(fit: Fit, users: np.ndarray, top: int, rows: Rows | None = None, rated: list[np.ndarray] | None = None
         ) -> Iterator[np.ndarray]:
    """For each user the numbers of at most `top` items, the best first; ties by the items' order.

    rows, rated    the users are new ones, with these conditionals, and have rated these items
    """
    size = max(1, BLOCK // len(fit.item_ids))
    for start in range(0, len(users), size):
        block = users[start:start + size]
        table = scores(fit, block, rows)
        for line, user in zip(table, block, strict=True):
            seen = rated[user] if rated is not None else fit.rated(user)
            line[seen] = -np.inf
            count = min(top, len(line) - len(seen))
            order = np.argsort(-line, kind="stable") if count > len(line) // 4 else _first(line, count)
            yield order[:count]


def _first(line: np.ndarray, count: int) -> np.ndarray:
    """The places of the largest, in order."""
    if not count:
        return np.empty(0, np.int64)
    edge = np.partition(line, -count)[-count]
    few = np.flatnonzero(line >= edge)
    return few[np.argsort(-line[few], kind="stable")]


def scores(fit: Fit, users: np.ndarray, rows: Rows | None = None) -> np.ndarray:
    """Predictive means of users (U,) at every item, (U, items); by means where one of the two is not known."""
    if rows is not None:
        table = means(fit.model, fit.draws, rows, users)
        table[:, ~fit.known("item", np.arange(table.shape[1]))] = fit.by_item.overall
        return table
    table = fit.means(users)
    table[:, ~fit.known("item", np.arange(table.shape[1]))] = fit.by_user.mean[users][:, None]
    table[~fit.known("user", users)] = fit.by_item.mean
    return table


def top_n(fit: Fit, top: int) -> TopN | None:
    """Of the fit's own test set; None where no test rating is relevant."""
    user, item, rating = (fit.training[f"test_{n}"] for n in ("of_user", "of_item", "rating"))
    threshold = relevant_from(fit)
    good = rating >= threshold
    users = np.unique(user[good]).astype(np.int64)
    users = users[:: max(1, -(-len(users) // MOST))]
    if not len(users):
        return None
    wanted = {u: set(item[good & (user == u)].tolist()) for u in users.tolist()}
    found, lists = [], []
    for u, items in zip(users.tolist(), best(fit, users, top), strict=True):
        lists.append(items)
        found.append(graded([i in wanted[u] for i in items.tolist()], len(wanted[u]), top))
    each = np.array(found)
    error = each.std(0, ddof=1) / math.sqrt(len(each)) if len(each) > 1 else [None] * 3
    table = {name: (float(m), None if e is None else float(e)) for name, m, e in
             zip(("precision", "recall", "NDCG"), each.mean(0), error, strict=True)}
    return TopN(top, len(users), threshold, table | {"coverage": covered(lists, len(fit.item_ids))})


def covered(lists: list[np.ndarray], items: int) -> tuple[float, float | None]:
    """The share of items on any of the lists, and its standard error over the users whose they are, by the jackknife
    (Efron and Stein 1981); no error of one list.

    >>> covered([np.array([0, 1]), np.array([1, 2])], 4)
    (0.75, 0.0)
    """
    times = np.bincount(np.concatenate(lists), minlength=items)
    n, own = len(lists), np.array([(times[each] == 1).sum() / items for each in lists])
    error = float(np.sqrt((n - 1) / n * ((own - own.mean()) ** 2).sum())) if n > 1 else None
    return float((times > 0).mean()), error


def graded(hits: list[bool], relevant: int, top: int) -> tuple[float, float, float]:
    """Precision, recall and NDCG of one user's list.

    >>> [round(x, 4) for x in graded([True, False, True], 2, 3)]
    [0.6667, 1.0, 0.9197]
    """
    gain = sum(1 / math.log2(2 + k) for k, hit in enumerate(hits) if hit)
    ideal = sum(1 / math.log2(2 + k) for k in range(min(relevant, top)))
    return sum(hits) / top, sum(hits) / relevant, gain / ideal


def relevant_from(fit: Fit) -> float:
    """The mean of the training ratings; of stars the first that is not below it."""
    mean = float(fit.training["rating_mean"])
    return next((float(level) for level in fit.levels if level >= mean), mean)
