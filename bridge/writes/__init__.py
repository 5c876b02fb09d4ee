"""Writes: sealed on the web tier, applied once and in order by the worker. Not for: what a write
means to a member (`bridge/services`)."""
