"""The test problems: models small enough to know the answer."""
