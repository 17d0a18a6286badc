"""Gibbs sampling, a whole side at a time: every user given the items, then every item given the users."""

from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    U = rows(rng, users(data), V, U, model, data)
    V = rows(rng, items(data), U, V, model, data)
    return {"U": U, "V": V}


def rows(rng, side, other, own, model, data):
    """Every row of a side drawn from its conditional."""
    natural = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)
    return normal(*natural, noise(rng, own))
