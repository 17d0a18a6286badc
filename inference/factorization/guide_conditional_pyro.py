"""Users conditional on the items: q(U | V) q(V), where q(U | V) is exact and only V is fitted.

    q(V) = prod_jk N(v_jk | m_jk, s_jk^2)
    q(U | V) = p(U | V, r) = prod_i N(u_i | mu_i(V), Sigma_i(V))         (`row_conditional`)
    ELBO = E_q(V) log p(r | V) - KL(q(V) || p(V)) = log p(r) - KL(q(V) || p(V | r))

No q with this q(V) has a higher ELBO: U follows V wherever V goes, as no product q(U) q(V) can. The price: every
minibatch and every draw takes a pass over all ratings, N K^2 + users x K^3, where mean_field takes users x K.
"""

from __future__ import annotations

import torch
from torch import Tensor

from inference.factorization.guides.parts import RATES, normal, plain, plates, started, users_given
from models.factorization import Factorization
from models.ratings import Ratings

__all__ = ["RATES", "guide", "start"]


def guide(model: Factorization, data: Ratings) -> None:
    within = plates(model)
    V = normal(model, "V", within["V"])
    users_given(model, data, V, within["U"])


def start(rng: torch.Generator, model: Factorization, data: Ratings) -> dict[str, Tensor]:
    plain(model, "conditional")
    return {name: value for name, value in started(rng, model, data).items() if name.startswith("V")}
