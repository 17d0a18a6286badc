"""The factorization with learned noise."""
