"""`python -m bridge …`: what an engineer runs on a host of theirs. Not for: HTTP."""
