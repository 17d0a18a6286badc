"""A user's own Pyro program as a test problem."""
