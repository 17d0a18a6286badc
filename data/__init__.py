"""What is observed: reading, making and writing it."""
