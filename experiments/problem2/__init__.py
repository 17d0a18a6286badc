"""Problem 2: Bayesian matrix factorization of ratings, in Pyro and by hand."""
