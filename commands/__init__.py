"""The other doors: --check, compare, --sweep, --list."""
