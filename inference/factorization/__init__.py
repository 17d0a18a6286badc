"""Problems 2 and 3, the factorization of ratings."""
