"""The standard deviation of the prior is used where its variance belongs.

Symptom: entries of U and V, and predictions at unrated pairs, have the wrong scale.
"""

import math
from dataclasses import replace

from checks.right.factorization import row_gibbs

BATCHED = True


def transition(rng, latents, model, data):
    return row_gibbs.transition(rng, latents, replace(model, prior_variance=math.sqrt(model.prior_variance)), data)
