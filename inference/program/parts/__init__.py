"""What several methods for a Pyro program share."""
