"""What is believed: declarations, no algorithm."""
