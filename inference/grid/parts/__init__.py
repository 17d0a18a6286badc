"""What several methods of the grid share."""
