"""The methods' inner loops, compiled by numba; each beside its readable twin of the same name."""
