"""Dataverse's Web API and its authority, as a client sees them. See sandbox/README.md."""

from sandbox.dynamics.part import make

__all__ = ["make"]
