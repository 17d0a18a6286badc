"""A run as a value: what is asked, what is done, where it is kept."""
