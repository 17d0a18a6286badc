"""What a wrong kernel's own moves say of its mistake: one sort of mistake, one file."""
