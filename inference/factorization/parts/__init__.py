"""What several methods of the factorization share."""
