"""Data -> methods -> views, one file a problem."""
