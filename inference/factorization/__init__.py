"""Methods for `models.factorization.Factorization`."""
