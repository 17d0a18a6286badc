"""A saved fit: what it holds beside its draws, and predictions from it without refitting."""
