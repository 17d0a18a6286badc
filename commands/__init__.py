"""The other doors: --check, compare, predict, --sweep, --list."""
