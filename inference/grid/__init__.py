"""Methods for `models.grid.GridMRF`."""
