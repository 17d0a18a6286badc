"""What Problems 2 and 3 share: the ratings, the fits to them, and what is said of these."""
