"""Your own Pyro program."""
