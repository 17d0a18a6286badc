"""How the weights of a model are learned from labelled data."""
