"""Our package for SugarCRM's module loader (Admin > Module Loader). Not for: installing it.

Not installed on an instance: nothing of it is verified but by the sandbox. See docs/sugarcrm.md.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from adapters.module_package import ModulePackage, assign, text_name
from adapters.needs import Need
from adapters.sugarcrm.guide import GUIDE

_SHOWN = 4
"""Columns in the list that staff see."""


class SugarPackage(ModulePackage):
    """Custom fields of Contacts, and one module per table of ours."""

    guide = GUIDE
    accepts: ClassVar[dict[str, object]] = {
        "acceptable_sugar_flavors": ["PRO", "CORP", "ENT", "ULT"],
        "acceptable_sugar_versions": {"regex_matches": [r"^1[0-9]\.", r"^2[0-9]\."]},
    }
    types: ClassVar[dict[str, str]] = {"datetime": "datetimecombo"}

    def views(self, table: str, columns: Sequence[Need]) -> Iterator[tuple[str, str]]:
        """List and record, as Sugar 7 and newer read them."""
        names = ["name", *(need.name for need in columns if not need.secret)]
        fields = [{"name": name, "label": text_name(name)} for name in names]
        listed = [
            {**field, "default": True, "enabled": True, "link": field["name"] == "name"}
            for field in fields[: _SHOWN + 1]
        ]
        body = {"name": "panel_body", "columns": 2, "labelsOnTop": True, "fields": fields}
        views = {
            "list": {"panels": [{"name": "panel_header", "fields": listed}]},
            "record": {"panels": [body]},
        }
        for view, definition in views.items():
            target = f"$viewdefs['{table}']['base']['view']['{view}']"
            yield f"clients/base/views/{view}/{view}.php", f"<?php\n{assign(target, definition)}"
