"""What to run: one schema, defaults, and their overrides. Not for: making objects of it (parts)."""
