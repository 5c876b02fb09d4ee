"""SuiteCRM's V8 API and its token endpoint, as a client sees them. See docs/suitecrm.md."""

from sandbox.suitecrm.part import make

__all__ = ["make"]
