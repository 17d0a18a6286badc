"""Three coins, whose posterior is known."""
