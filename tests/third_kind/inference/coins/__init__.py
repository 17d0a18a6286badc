"""Problem 4, coins."""
