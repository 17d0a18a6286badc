"""Problem 1: denoise an image with a grid Markov random field."""
