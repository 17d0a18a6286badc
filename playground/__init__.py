"""What one plays with: pages of marimo, each a file in `pages/`, over the library."""
