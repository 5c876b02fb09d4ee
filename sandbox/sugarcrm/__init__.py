"""SugarCRM's REST API (v10, v11, v11_1 …) as a client sees it. See docs/sandbox.md."""

from sandbox.sugarcrm.part import make

__all__ = ["make"]
