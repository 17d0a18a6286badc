"""Problem 3: Gibbs sampling for the factorization, against maximum likelihood."""
