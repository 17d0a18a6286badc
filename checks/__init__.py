"""Is a method right? Judges any method, ours or a user's."""
