"""Problem 1, the grid Markov random field."""
